; The first wins and hands on its verdict; the other is cancelled, completes all the same, and is undone.
; answer quick = good
; answer slow = ok after 9 stubborn
;
; > race/quick#1: x.quick (good) -> next
; > race/slow#1 is cancelled
; > race/slow#1: x.slow -> cancelled
; > race/slow#1~undo: x.slow.remove -> undone
; > sent x.quick (good)

words next, good, send, quick, slow
worker quick money $0.00 tokens 0t {"words":["good"],"mock":[]}
worker slow money $0.00 tokens 0t {"mock":[]}
worker remove money $0.00 tokens 0t {"mock":[]}

function out registers 1
  verdicts good
  stage race join names quick, slow
  stage match.2 match names good
  step quick in race worker quick verdicts good
  step slow in race worker slow undo worker remove verdicts good

       enter   race
       join    race 2 1
         branch  0 L6
         branch  1 L9
       leave   race
       jump    L12
L6:    call    race/quick
         edge    next next - L8
L8:    hand
L9:    call    race/slow
         edge    next next - L11
L11:   hand
L12:   enter   match.2
       if-word good L15
       fail    match.2
L15:   pick
         edge    send send - L17
L17:   leave   match.2
       return
