; A join that needs two of three: one failure is forgiven, the second is not, and ends it as the first.
; answer a = fail timeout
; answer b = fail after 5
; answer c = ok after 9
;
; > most/a#1: Timeout -> timeout
; > most/b#1: Failure -> failed
; > most/c#1 is cancelled
; > most/c#1: Cancel -> cancelled
; > Timeout E0900 at most/a#1

words next, a, b, c
worker a money $0.00 tokens 0t {"mock":[]}
worker remove money $0.00 tokens 0t {"mock":[]}
worker b money $0.00 tokens 0t {"mock":[]}
worker c money $0.00 tokens 0t {"mock":[]}

function out registers 1
  stage most join names a, b, c
  step a in most worker a undo worker remove
  step b in most worker b undo worker remove
  step c in most worker c undo worker remove

       enter   most
       join    most 3 2
         branch  0 L7
         branch  1 L10
         branch  2 L13
       leave   most
       return
L7:    call    most/a
         edge    next next - L9
L9:    hand
L10:   call    most/b
         edge    next next - L12
L12:   hand
L13:   call    most/c
         edge    next next - L15
L15:   hand
