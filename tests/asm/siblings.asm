; Elements that wait for elements: a graph of three in one flat join. `b` waits for both others, wherever they stand.
; answer a = ok after 5
; answer c = ok after 2
;
; > graph/c#1: x.c -> next
; > graph/a#1: x.a -> next
; > graph/b#1: [a=x.a c=x.c].b -> next
; > sent [a=x.a b=[a=x.a c=x.c].b c=x.c]

words next, a, b, c
worker a money $0.00 tokens 0t {"mock":[]}
worker b money $0.00 tokens 0t {"mock":[]}
worker c money $0.00 tokens 0t {"mock":[]}

function out registers 3
  stage graph join names a, b, c
  step a in graph worker a output r1
  step b in graph worker b
  step c in graph worker c output r2

       enter   graph
       join    graph 3 3
         branch  0 L7
         branch  1 L10
         branch  2 L18
       leave   graph
       return
L7:    call    graph/a
         edge    next next - L9
L9:    hand
L10:   wait    graph 0
       wait    graph 2
       ref     r1                              ; graph/a.out
       ref     r2                              ; graph/c.out
       gather  graph/b parts
       call    graph/b
         edge    next next - L17
L17:   hand
L18:   call    graph/c
         edge    next next - L20
L20:   hand
