; A verdict that is no outcome travels with the value to the match that knows it.
; answer judge = poor, good
;
; > work/judge#1: x.judge (poor) -> next
; > work/judge#2: x.judge.judge (good) -> next
; > sent x.judge.judge (good)

words next, good, poor, send, work, fine
worker judge money $0.00 tokens 0t {"words":["good","poor","fine"],"mock":[]}

function out registers 1
  counters 3
  verdicts good, poor, fine
  stage work switch counters c1+0
  stage sort match counters c1+0 names good, poor
  step judge in work worker judge verdicts good, poor, fine

       count   c0                              ; c0 at most 3
L1:    enter   work
       call    work/judge
         edge    next next - L4
L4:    leave   work
       jump    L6
L6:    enter   sort
       if-word good L10
       if-word poor L14
       fail    sort
L10:   pick
         edge    send send - L12
L12:   leave   sort
       return
L14:   pick
         edge    jump work c0 L16              ; c0 at most 3
L16:   leave   sort jump
       jump    L1
