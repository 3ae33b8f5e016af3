; Without a chooser each step is taken once, in the order in which it is written.
; answer b = back
;
; > work/a#1: x.a -> next
; > work/b#1: x.a.b (back) -> back
; > work/a#2: x.a.b.a -> next
; > work/c#1: x.a.b.a.c -> next
; > sent x.a.b.a.c

words next, back, a, b, c
worker a money $0.00 tokens 0t {"mock":[]}
worker b money $0.00 tokens 0t {"mock":[]}
worker c money $0.00 tokens 0t {"mock":[]}

function out registers 1
  counters 8, 8, 8
  stage work select counters c0+3 names a, b, c
  step a in work worker a
  step b in work worker b
  step c in work worker c

       enter   work
L1:    choose  work 3
         option  c0 L7                         ; c0 at most 8
         option  c1 L10                        ; c1 at most 8
         option  c2 L15                        ; c2 at most 8
       leave   work
       return
L7:    call    work/a
         edge    next next - L9
L9:    jump    L1
L10:   call    work/b
         edge    next next - L13
         edge    back back c0 L14              ; c0 at most 8
L13:   jump    L1
L14:   jump    L7
L15:   call    work/c
         edge    next next - L17
L17:   jump    L1
