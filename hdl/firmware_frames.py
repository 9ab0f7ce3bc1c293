"""Second part of the link's program: frames are checked, requests told apart, places judged, replies begun.

`hdl.assembler` says how to read it, `hdl.firmware` what the variables are.
"""

LISTING = """
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

; The frame is damaged; it may have ended, or not.
spoilt:     inc     damaged
            incc    damaged+1
            load    #127
            store   kind
            clear   sequence
            load    #CODE_DAMAGED_FRAME
            store   code
            jump    finish1

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
            if_wrong spoilt

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
            compare #FIRST_OPEN
            unless_carry e_length
main2:      out     INDEX #argument
            repeat  n                   ; where there are none, a byte of the CRC will do no harm
            out     KEEP <rx
            jump    [place]

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
            compare #DO_OUTPUTS
            if_zero judge7
            compare #DO_INFER
            if_zero judge7
            load    room
            sub     argument+6
            load    room+1
            subc    argument+7
            unless_carry refuse
judge5:     return
judge6:     load    kind                ; only an image may be for all PEs
?           and     #LIKE_DATA
            compare #DO_DATA
            unless_zero e_range
            load    argument+2
            and     argument+3
            add     #1
            if_zero judge4
refuse:     load    kind
?           and     #LIKE_DATA
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
            load    #MINUS_PES
judge8:     addto   reach
            if_carry judge9
            dec     reach+1
            unless_carry judge5
judge9:     dec     room
            if_carry judge8
            dec     room+1
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
