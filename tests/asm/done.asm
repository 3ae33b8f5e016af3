; The last entry of a counted stage is done, whatever came of it.
;
; > round/improve#1: x.improve -> next
; > round/improve#2: x.improve.improve -> next
; > round/improve#3: x.improve.improve.improve -> next
; > sent x.improve.improve.improve

words next, send, round, done, default
worker improve money $0.00 tokens 0t {"mock":[]}

function out registers 1
  counters 3
  stage round switch counters c1+0
  stage round/2/match.1 match around round counters c1+0 names done, default
  step improve in round worker improve

       count   c0                              ; c0 at most 3
L1:    enter   round
       call    round/improve
         edge    next next - L4
L4:    jump    L5
L5:    enter   round/2/match.1
       if-last c0 L8                           ; c0 at most 3
       jump    L13
L8:    pick
         edge    send send - L10
L10:   leave   round/2/match.1
       leave   round
       return
L13:   pick
         edge    jump round c0 L15             ; c0 at most 3
L15:   leave   round/2/match.1 jump
       leave   round jump
       jump    L1
