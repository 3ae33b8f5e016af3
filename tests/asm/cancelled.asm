; Cancelled from outside in the middle of a join in a definition: everything is stopped, awaited and undone; nothing catches it.
; answer slow = ok after 50 stubborn
; cancel at 10
;
; > work/first#1: x.first -> next
; > work/both#1/inner/quick#1: x.first.quick -> next
; > work/both#1/inner/slow#1 is cancelled
; > work/both#1/inner/slow#1: x.first.slow -> cancelled
; > work/both#1/inner/slow#1~undo: x.first.slow.remove -> undone
; > work/both#1/inner/quick#1~undo: x.first.quick.remove -> undone
; > work/both#1 ended Cancel -> cancelled
; > work/first#1~undo: x.first.remove -> undone
; > Cancel

words next, send, success, cancel, default, good, quick, slow
worker first money $0.00 tokens 0t {"mock":[]}
worker remove money $0.00 tokens 0t {"mock":[]}
worker quick money $0.00 tokens 0t {"words":["good"],"mock":[]}
worker slow money $0.00 tokens 0t {"mock":[]}

function out registers 2
  verdicts good
  stage work switch input r1 handler cancel+failure+exhausted+timeout at L10
  stage match.2 match names success, cancel, default
  step first in work worker first undo worker remove
  step both in work function both verdicts good

       enter   work
       call    work/first
         edge    next next - L3
L3:    jump    L4
L4:    call    work/both
         edge    send send - L6
L6:    leave   work
       jump    L8
L8:    enter   match.2
       jump    L14
L10:   enter   match.2
       if-kind cancel L18
       if-kind failure+exhausted+timeout L22
       fail    match.2
L14:   pick
         edge    send send - L16
L16:   leave   match.2
       return
L18:   pick
         edge    send send - L20
L20:   leave   match.2
       return
L22:   pick
         edge    send send - L24
L24:   leave   match.2
       return

function both registers 1
  verdicts good
  stage inner join names quick, slow
  step quick in inner worker quick undo worker remove verdicts good
  step slow in inner worker slow undo worker remove

       enter   inner
       join    inner 2 2
         branch  0 L32
         branch  1 L35
       leave   inner
       return
L32:   call    inner/quick
         edge    next next - L34
L34:   hand
L35:   call    inner/slow
         edge    next next - L37
L37:   hand
