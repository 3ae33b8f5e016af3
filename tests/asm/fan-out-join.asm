; A fan-out as an element of a join: its items run inside a branch.
; answer split = ok p+q
; answer each = ok after 3, fail, ok after 2
;
; > first/split#1: p+q -> next
; > both/b#1: p+q.b -> next
; > both/each#1[1]: Failure -> retry
; > both/each#1[0]: p.each -> next
; > both/each#1[1] 2: q.each -> next
; > both/each#1 mapped [1=p.each 2=q.each] -> next
; > sent [each=[1=p.each 2=q.each] b=p+q.b]

words next, retry, each, b
worker split money $0.00 tokens 0t {"mock":[]}
worker each money $0.00 tokens 0t {"mock":[]}
worker b money $0.00 tokens 0t {"mock":[]}

function out registers 1
  stage first switch
  stage both join names each, b
  step split in first worker split
  step each in both worker each
  step b in both worker b

       enter   first
       call    first/split
         edge    next next - L3
L3:    leave   first
       enter   both
       join    both 2 2
         branch  0 L10
         branch  1 L17
       leave   both
       return
L10:   map     both/each L13
         edge    next next - L12
L12:   hand
L13:   call    both/each
         edge    next next - L16
         edge    retry retry - 1
L16:   hand
L17:   call    both/b
         edge    next next - L19
L19:   hand
