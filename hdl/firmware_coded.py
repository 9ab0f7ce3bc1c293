"""Last part of the link's program, for links that decode: the table, and loads in code.

`hdl.assembler` says how to read it, `hdl.firmware` what the variables are. It stands in the third page.
"""

LISTING = """
; CODED: as DATA, but the bytes that are read are those of the code.
coded:      load    argument+4
            if_zero data0               ; they are no code
            load    coding
            if_zero e_code
            out     LOW rest
            control CODED
            load    argument+4
            store   rest
            jump    data0
e_code:     clear   transaction
            clear   length
            load    #close
            store   body
            load    committed
            add     #FAILED
            out     COMMITTED <a
            load    #CODE_BAD_CODE
            jump    e_other

; TABLE
take_table: clear   coding
            load    argument+1
            if_zero symbols
            compare #1
            unless_zero e_place
            load    argument
            compare #1
            unless_zero e_place
            load    rest
            compare #LENGTHS
            unless_zero e_size
            out     MEMORY #MEMORY_TABLE
            out     LOW argument
            out     HIGH argument+1
            load    #1                  ; words of a length that begin with no shorter one
            store   room
            clear   reach               ; words
            clear   reach+1
counts:     load    <rx
            store   n
            out     WORD n
            control WRITE
            load    room
            addto   room
            if_carry e_table            ; 256 words or more would have to follow, and a count is 255 at most
            load    room
            sub     n
            store   room
            unless_carry e_table
            load    n
            addto   reach
            incc    reach+1
            dec     rest
            unless_zero counts
            load    room
            unless_zero e_table
            load    reach+1
            if_zero counts1
            load    reach               ; 256 words at most
            unless_zero e_table
            dec     reach+1
            unless_zero e_table
counts1:    inc     coding
            jump    done
symbols:    load    argument
            add     rest
            unless_carry symbols1
            unless_zero e_place         ; the last one may be the last of the memory
symbols1:   load    rest
            if_zero done
            out     MEMORY #MEMORY_TABLE
            out     LOW argument
            out     HIGH argument+1
symbols2:   out     WORD <rx
            control WRITE
            dec     rest
            unless_zero symbols2
            jump    done
e_size:     load    #CODE_BAD_LENGTH
            jump    e_other
e_place:    load    #CODE_OUT_OF_RANGE
            jump    e_other
e_table:    load    #CODE_BAD_TABLE
e_other:    store   code
            jump    done
"""
