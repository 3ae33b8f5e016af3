; A stage has 20 ms: its call is cancelled, its effects are undone, and the match below goes on with the stage's input.
; answer slow = ok after 50
;
; > work/make#1: x.make -> next
; > work/slow#1 is cancelled
; > work/slow#1: Cancel -> cancelled
; > work/make#1~undo: x.make.remove -> undone
; > other/ask#1: x!E0706.ask -> send
; > sent x!E0706.ask

words next, send, success, timeout
worker make money $0.00 tokens 0t {"mock":[]}
worker remove money $0.00 tokens 0t {"mock":[]}
worker slow money $0.00 tokens 0t {"mock":[]}
worker ask money $0.00 tokens 0t {"mock":[]}

function out registers 2
  stage work switch deadline 20ms input r1 handler timeout at L10
  stage match.2 match names success, timeout
  stage other switch around match.2
  step make in work worker make undo worker remove
  step slow in work worker slow
  step ask in other worker ask

       enter   work
       call    work/make
         edge    next next - L3
L3:    jump    L4
L4:    call    work/slow
         edge    send send - L6
L6:    leave   work
       jump    L8
L8:    enter   match.2
       jump    L13
L10:   enter   match.2
       if-kind timeout L17
       fail    match.2
L13:   pick
         edge    send send - L15
L15:   leave   match.2
       return
L17:   enter   other
       call    other/ask
         edge    send send - L20
L20:   leave   other
       leave   match.2
       return
