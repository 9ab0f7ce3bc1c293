"""First part of the link's program: what carries out the requests.

`hdl.assembler` says how to read it, `hdl.firmware` what the variables are; lines of `?` are for links that
decode. What is jumped to by its address stands here, in the order in which it fits in the first page. There
is one return address, so subroutines call no others.
"""

LISTING = """
            call    forget
            jump    main

; Bodies of replies.
identity:   out     INDEX #0
            repeat  #IDENTITY_BYTES
            out     CHECK_SEND <identity
            load    #STATUS_BYTES
            jump    table1
table:      load    length
table1:     store   n
            out     INDEX from
            repeat  n
            out     CHECK_SEND @+
close:      out     EXCHANGE #0
            repeat  #4
            out     SEND <crc
            out     SEND #FLAG
            jump    main
readback:   control READ
            repeat  argument+1
            out     CHECK_SEND <word
            dec     argument+6
            if_carry readback
            jump    close

; Items of an image.
header:     load    rest
            if_zero data2
            sub     #8
            unless_carry bad
            store   rest
            out     INDEX #argument
            repeat  #8
            out     CHECK_KEEP <rx
            load    #MEMORY_STEPS
            sub     argument
            unless_carry bad
            load    bank
            store   place
            call    judge
            jump    header1
word:       load    rest
            if_zero data2
            sub     section+1
            unless_carry bad
            store   rest
            repeat  section+1
            out     CHECK_WORD <rx
            control WRITE
            inc     section+4
            incc    section+5
            dec     section+6
            if_carry word
            dec     section+7
            if_carry word
            load    #header
            store   item
            jump    header
bad:        load    #skip
            store   item
skip:       load    rest
            if_zero data2
            repeat  rest
            out     CHECK <rx
            jump    data2

; RESET
reset:      control RESET
            call    forget
reset1:     if_busy reset1
            jump    ok

; IDENTIFY and STATUS
identify:   load    #IDENTITY_BYTES+STATUS_BYTES
            store   length
            load    #identity
            jump    status1
status:     load    #STATUS_BYTES
            store   length
            load    #table
status1:    store   body
            clear   busy
            unless_busy status2
            inc     busy
status2:    load    <fault
            store   fault
            load    <step
            store   step
            load    #busy
            store   from
            out     INDEX #cycles
            repeat  #8
            out     KEEP <counter
            jump    ok

; RUN
run_steps:  load    argument
            sub     run
            load    argument+1
            subc    run+1
            if_equal ok
            if_busy e_busy
            load    committed
            if_zero e_committed
            load    #LAST_STEP
            sub     argument+3
            unless_carry e_range
            load    argument+3
            sub     argument+2
            unless_carry e_range
            add     #1                  ; 256 is 0
            out     PE <a
            out     LOW argument+2
            control RUN
            out     INDEX #run
            out     KEEP argument
            out     KEEP argument+1
            jump    ok

; DATA: bytes of the image, from where the last ones ended.
data:       load    transaction
            if_zero e_transaction
            load    #received
            store   from
            load    #4
            store   length
            load    #table
            store   body
            load    received
            sub     argument
            load    received+1
            subc    argument+1
            load    received+2
            subc    argument+2
            load    received+3
            subc    argument+3
            unless_carry e_gap
            unless_equal ok
?           load    kind
?           compare #DO_CODED
?           unless_zero data0
?           jump    coded
data0:      load    rest
            addto   received
            incc    received+1
            incc    received+2
            incc    received+3
            out     INDEX #image_crc
            repeat  #4
            out     EXCHANGE @+
data1:      out     MEMORY section
            out     PE section+2
            out     ALL section+3
            out     LOW section+4
            out     HIGH section+5
            jump    [item]
header1:    out     INDEX #section
            out     KEEP argument
            out     KEEP argument+1
            out     KEEP argument+2
            out     KEEP argument+3
            out     KEEP argument+4
            out     KEEP argument+5
            out     KEEP argument+6
            out     KEEP argument+7
            load    #word
            store   item
            jump    data1
data2:      out     INDEX #image_crc
            out     EXCHANGE #0
            repeat  #4
            out     KEEP <crc
?           load    <short
?           if_zero done
?           jump    e_code
done:       jump    ok

; TABLE
?load_table: jump   take_table

; COMMIT
commit:     load    transaction
            if_zero e_transaction
            clear   transaction
            load    committed
            add     #FAILED
            out     COMMITTED <a
            load    item
            compare #header
            unless_zero e_image
            load    image_crc
            sub     announced
            load    image_crc+1
            subc    announced+1
            load    image_crc+2
            subc    announced+2
            load    image_crc+3
            subc    announced+3
            unless_equal e_image
            load    bank
            compare #WHOLE
            if_zero commit1
            add     #1
            add     committed
            jump    commit2
commit1:    store   whole
            load    #3
commit2:    store   committed
            out     COMMITTED <a
            load    bank
            compare #1
            if_zero commit3
            load    #crc_bank0
            call    note_crc
commit3:    load    bank
            if_zero ok
            load    #crc_bank1
            call    note_crc
            jump    ok

; BEGIN
begin:      load    #WHOLE
            sub     argument
            unless_carry e_range
            unless_busy begin1
            if_zero e_busy
            load    argument
            add     #1
            and     <banks
            unless_zero e_busy
begin1:     out     INDEX #bank
            out     KEEP argument
            out     KEEP argument+4
            out     KEEP argument+5
            out     KEEP argument+6
            out     KEEP argument+7
            load    bank
            compare #WHOLE
            if_zero begin2
            load    whole               ; one half of a whole image means nothing
            unless_zero begin2
            load    #2
            sub     bank
            and     committed
            jump    begin3
begin2:     load    #0
begin3:     store   committed
            add     #LOADING
            out     COMMITTED <a
            clear   whole
            out     INDEX #received
            repeat  #4
            clear   @+
            out     INDEX #image_crc
            repeat  #4
            clear   @+
            load    #header
            store   item
            load    #1
            store   transaction
            jump    ok

; READ, OUTPUTS, ACTIVATIONS: words between the host and the engine.
words:      if_busy e_busy
            load    #MEMORY_COUNTERS
            sub     argument
            unless_carry e_range
            load    argument+1          ; ACTIVATIONS may have values of one byte
            store   n
            add     kind
            compare #DO_ACTIVATIONS+1
            unless_zero words1
            inc     argument+1
words1:     load    #WHOLE
            store   place
            call    judge
            out     MEMORY argument
            out     LOW argument+4
            out     HIGH argument+5
            out     PE argument+2
            load    kind
            out     ALL <a
            compare #DO_READ
            if_zero words2
            load    argument+6
            and     #7
            add     #16
            out     ALL <a              ; across PEs, and places of the first map
            load    kind
            compare #DO_ACTIVATIONS
            if_zero map
words2:     load    argument+7
            unless_zero e_range
            load    argument+6
            store   n
            clear   reach
words3:     load    reach               ; bytes of all words
            add     argument+1
            if_carry e_range
            store   reach
            dec     n
            if_carry words3
            load    #LARGEST_ANSWER
            sub     reach
            unless_carry e_range
            load    reach
            store   length
            load    #readback
            store   body
            jump    ok
map:        out     WORD <rx
            unless_busy map1
value:      repeat  n
            out     WORD <rx
            control WRITE
            if_busy value
map1:       load    #248                ; -8: the other maps are for eight places each
            addto   argument+6
            if_carry map
            dec     argument+7
            if_carry map
            repeat  #4                  ; the CRC
            load    <rx
            if_last e_length
            load    <rx
            unless_last e_length
            jump    ok
"""
