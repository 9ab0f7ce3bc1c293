"""Listing of the link's program; `hdl.assembler` says how to read it, `hdl.firmware` what the variables are.

What is jumped to by its address comes first, as it must be in the first page. There is one return address,
so subroutines call no others.
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
readback:   out     LOW argument+4
            out     HIGH argument+5
            out     PE argument+2
            control READ
            repeat  argument+1
            out     CHECK_SEND <word
            call    advance
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
            out     LOW section+4
            control WRITE
            inc     section+4
            unless_zero word1
            inc     section+5
            out     HIGH section+5
word1:      dec     section+6
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
            load    rest
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
            jump    ok

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
            out     MEMORY argument
            out     ALL argument+3
            load    kind
            compare #DO_ACTIVATIONS
            if_zero words2
            load    #LARGEST_ANSWER
            sub     reach
            unless_carry e_range
            load    reach
            store   length
            load    #readback
            store   body
            jump    ok
words2:     load    rest
            sub     reach
            unless_zero e_length
words3:     out     WORD <rx
            out     WORD <rx
            out     LOW argument+4
            out     HIGH argument+5
            out     PE argument+2
            control WRITE
            call    advance
            dec     argument+6
            if_carry words3

            jump    ok

; The code of the reply is the number of lines from the entry to `ok`.
e_range:    inc     code
e_image:    inc     code
e_gap:      inc     code
e_transaction: inc  code
e_committed: inc    code
e_busy:     inc     code
e_length:   inc     code
unknown:    inc     code
            inc     code
ok:
finish1:    control RELEASE
            load    <rx
            unless_last finish1
answer:     control RELEASE+RESTART
            load    kind
            add     #REPLY
            out     CHECK_SEND <a
            out     CHECK_SEND sequence
            load    length
            add     #1
            out     CHECK_SEND <a
            out     CHECK_SEND code
            jump    [body]

; The frame is damaged: wait for its end.
spoilt:     if_last refused
spoilt1:    control RELEASE
            load    <rx
            unless_last spoilt1
refused:    inc     damaged
            incc    damaged+1
            load    #127
            store   kind
            clear   sequence
            load    #CODE_DAMAGED_FRAME
            store   code
            jump    answer

; Check a frame: header, payload and CRC, and then its end.
main:       control RELEASE+RESTART
            clear   code
            clear   length
            load    #close
            store   body
            load    <rx                 ; the first code byte, or the end of an empty frame
            if_last main
            load    <lost
            addto   overruns
            incc    overruns+1
            out     INDEX #kind
            repeat  #3
            out     CHECK_KEEP <rx
            load    kind
            add     #REPLY
            if_carry spoilt
            load    #LIMIT
            sub     size
            unless_carry spoilt
            load    size
            if_zero main1
            repeat  size
            out     CHECK <rx
main1:      repeat  #4
            out     EXCHANGE <rx
            load    <rx
            unless_last spoilt
            load    <crc                ; waits for the CRC
            if_wrong refused

; Read it again, and carry it out.
            inc     frames
            incc    frames+1
            control REWIND
            repeat  #4
            load    <rx
            load    #LAST_REQUEST
            sub     kind
            unless_carry unknown
            load    kind
            if_zero unknown
            add     kind
            add     #requests
            out     INDEX <a
            load    @+
            store   n
            load    @
            store   place
            load    size
            sub     n
            store   rest                ; payload bytes besides the arguments
            unless_carry e_length
            if_zero main2
            load    kind
            compare #DO_DATA
            if_zero main2
            compare #DO_ACTIVATIONS
            unless_zero e_length
main2:      load    n
            if_zero main3
            out     INDEX #argument
            repeat  n
            out     KEEP <rx
main3:      jump    [place]

; The next word: READ goes on to the next address, the others to the next PE.
advance:    load    kind
            compare #DO_READ
            if_zero advance1
            inc     argument+2
            load    argument+2
            compare #PES_LOW
            unless_zero advance2
            clear   argument+2
advance1:   inc     argument+4
            incc    argument+5
advance2:   return

; Refuse a section of words that the bank `place` has not; leave the number of words less one.
judge:      load    argument
            add     argument
            add     argument
            add     argument
            add     argument
            add     #memories
            out     INDEX <a
            load    argument+1
            sub     @+
            unless_zero refuse
            load    place
            compare #WHOLE
            if_zero judge1
            load    argument
            sub     #MEMORY_ACTIVATIONS ; they and the accumulators belong to no bank
            compare #2
            unless_carry refuse
judge1:     load    @+                  ; last address of the lower half
            store   room
            load    @+
            store   room+1
            load    place
            if_zero judge3
            compare #1
            unless_zero judge2
            load    room
            sub     argument+4
            load    room+1
            subc    argument+5
            if_carry refuse
judge2:     load    @+                  ; last address
            store   room
            load    @
            store   room+1
judge3:     load    room                ; words behind the first one
            sub     argument+4
            store   room
            load    room+1
            subc    argument+5
            store   room+1
            unless_carry refuse
            dec     argument+6
            decc    argument+7
            unless_carry refuse
            load    argument
            compare #MEMORY_STEPS
            if_zero judge4
            load    argument+3
            unless_zero judge6
            load    #LAST_PE
            sub     argument+2
            unless_carry refuse
judge4:     load    kind
            compare #DO_ACTIVATIONS
            if_zero judge7
            compare #DO_OUTPUTS
            if_zero judge7
            load    room
            sub     argument+6
            load    room+1
            subc    argument+7
            unless_carry refuse
judge5:     return
judge6:     load    kind                ; only an image may be for all PEs
            compare #DO_DATA
            unless_zero e_range
            load    argument+2
            and     argument+3
            add     #1
            if_zero judge4
refuse:     load    kind
            compare #DO_DATA
            if_zero bad
            jump    e_range
judge7:     load    argument            ; from PE to PE
            compare #MEMORY_ACTIVATIONS
            unless_zero e_range
            load    argument+2
            add     argument+6
            store   reach
            load    argument+7
            addc    #0
            store   reach+1
judge8:     load    reach
            sub     #PES_LOW
            store   reach
            load    reach+1
            subc    #PES_HIGH
            store   reach+1
            unless_carry judge5
            dec     room
            decc    room+1
            if_carry judge8
            jump    e_range

note_crc:   out     INDEX <a
            out     KEEP image_crc
            out     KEEP image_crc+1
            out     KEEP image_crc+2
            out     KEEP image_crc+3
            return

forget:     clear   committed
            out     COMMITTED #0
            clear   whole
            clear   transaction
            load    #255
            store   run
            store   run+1
            out     INDEX #frames
            repeat  #12
            clear   @+
            return
"""
