; One call for each part; an item that keeps failing goes on as it came, with the error.
; answer split = ok p+q+r
; answer work/each#1[1] = fail
; answer work/each#1[0] = ok after 9
;
; > work/split#1: p+q+r -> next
; > work/each#1[1]: Failure -> retry
; > work/each#1[2]: r.each -> next
; > work/each#1[1] 2: Failure -> continue (not retry)
; > work/each#1[0]: p.each -> next
; > work/each#1 mapped [1=p.each 2=q!E0900 3=r.each] -> next
; > sent [1=p.each 2=q!E0900 3=r.each]

words next, retry, continue
worker split money $0.00 tokens 0t {"mock":[]}
worker each money $0.00 tokens 0t {"mock":[]}

function out registers 2
  stage work switch
  step split in work worker split output r1
  step each in work worker each

       enter   work
       call    work/split
         edge    next next - L3
L3:    jump    L4
L4:    ref     r1                              ; work/split.out
       gather  work/each
       map     work/each L13
         edge    next next - L9
         edge    continue continue - L11
L9:    leave   work
       return
L11:   leave   work
       return
L13:   call    work/each
         edge    next next - L17
         edge    retry retry - 1
         edge    continue continue - L17
L17:   hand
