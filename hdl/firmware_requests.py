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
outcome:    out     INDEX #cycles
            repeat  #OUTCOME_BYTES
            out     CHECK_SEND <counter
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
            out     INDEX #cycles
            out     KEEP argument+2
            out     KEEP argument+3
            call    go
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

; ACTIVATIONS
activations: if_busy e_busy
            out     INDEX #argument
            call    fill
            jump    ok

; READ, OUTPUTS, INFER: words from the engine to the host.
words:      if_busy e_busy
            load    #MEMORY_COUNTERS
            sub     argument
            unless_carry e_range
            load    #WHOLE
            store   place
            call    judge
            load    argument+7
            unless_zero e_range
            load    argument+6
            store   n
            clear   reach
words1:     load    reach               ; bytes of all words
            add     argument+1
            if_carry e_range
            store   reach
            dec     n
            if_carry words1
            load    #LARGEST_ANSWER
            sub     reach
            unless_carry e_range
            load    kind
            compare #DO_INFER
            if_zero infer
            load    #readback
words2:     store   body
            load    reach
            store   length
            out     MEMORY argument
            out     PE argument+2
            load    kind
            add     #MAKES_ACROSS       ; one after the other for READ, else across PEs
            out     ALL <a
            out     LOW argument+4
            out     HIGH argument+5
            jump    ok

; INFER: values, a run, and how long it took.
infer:      out     INDEX #cycles
            repeat  #STEPS_BYTES+FORM_BYTES
            out     KEEP <rx
            load    rest
            sub     #STEPS_BYTES+FORM_BYTES
            unless_carry e_length
            store   rest
            out     INDEX #cycles+2
            call    fill
            call    go
infer1:     if_busy infer1
            load    <fault
            unless_zero e_committed
            load    #OUTCOME_BYTES
            addto   reach
            load    #outcome
            jump    words2

; Write values, in the form and from the place that the index names.
fill:       out     MEMORY #MEMORY_ACTIVATIONS
            out     ALL @+
            out     PE @+
            out     LOW @+
            out     HIGH @
            load    rest
            if_zero e_length
            repeat  rest
            out     WORD <rx
            if_busy e_length
            return

; Run the steps whose first and last number stand where the counters will.
go:         load    committed
            if_zero e_committed
            load    #LAST_STEP
            sub     cycles+1
            unless_carry e_range
            load    cycles+1
            sub     cycles
            unless_carry e_range
            add     #1                  ; 256 is 0
            out     PE <a
            out     LOW cycles
            control RUN
            return
"""
