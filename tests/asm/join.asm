; All branches run at once; their parts come in the order in which they are written.
; answer slow = ok after 9
; answer judge = fine after 3
;
; > inner/a#1: x.a -> next
; > inner/b#1: x.a.b -> send
; > both/judge#1: x.judge (fine) -> next
; > both/slow#1: x.slow -> next
; > sent [slow=x.slow judge=x.judge(fine) inner=x.a.b]

words next, send, slow, judge, inner, good, poor, fine
worker slow money $0.00 tokens 0t {"mock":[]}
worker judge money $0.00 tokens 0t {"words":["good","poor","fine"],"mock":[]}
worker a money $0.00 tokens 0t {"mock":[]}
worker b money $0.00 tokens 0t {"mock":[]}

function out registers 1
  verdicts good, poor, fine
  stage both join names slow, judge, inner
  stage inner switch around both
  step slow in both worker slow
  step judge in both worker judge verdicts good, poor, fine
  step a in inner worker a
  step b in inner worker b

       enter   both
       join    both 3 3
         branch  0 L7
         branch  1 L10
         branch  2 L13
       leave   both
       return
L7:    call    both/slow
         edge    next next - L9
L9:    hand
L10:   call    both/judge
         edge    next next - L12
L12:   hand
L13:   enter   inner
       call    inner/a
         edge    next next - L16
L16:   jump    L17
L17:   call    inner/b
         edge    send send - L19
L19:   leave   inner
       hand
