; The whole run may make three calls; it parks, is given more, and goes on.
; limits calls 2
; raise calls 3
; raise calls 4
;
; > work/a#1: x.a -> next
; > work/b#1: x.a.b -> next
; > parks: Calls
; > work/c#1: x.a.b.c -> next
; > parks: Calls
; > work/d#1: x.a.b.c.d -> send
; > sent x.a.b.c.d

words next, send
worker a money $0.00 tokens 0t {"mock":[]}
worker b money $0.00 tokens 0t {"mock":[]}
worker c money $0.00 tokens 0t {"mock":[]}
worker d money $0.00 tokens 0t {"mock":[]}

function out registers 1
  stage work switch
  step a in work worker a
  step b in work worker b
  step c in work worker c
  step d in work worker d

       enter   work
       call    work/a
         edge    next next - L3
L3:    jump    L4
L4:    call    work/b
         edge    next next - L6
L6:    jump    L7
L7:    call    work/c
         edge    next next - L9
L9:    jump    L10
L10:   call    work/d
         edge    send send - L12
L12:   leave   work
       return
