; A part that fails for good cancels the others and fails the step; what its items did is undone.
; answer split = ok p+q+r
; answer work/each#1[1] = fail after 3
; answer work/each#1[2] = ok after 9
;
; > work/split#1: p+q+r -> next
; > work/each#1[0]: p.each -> next
; > work/each#1[1]: Failure -> failed
; > work/each#1[2] is cancelled
; > work/each#1[2]: Cancel -> cancelled
; > work/each#1 mapped Failure E0900 -> cancel
; > work/each#1[0]~undo: p.each.remove -> undone
; > Failure E0900 at work/each#1[1]

words next, cancel
worker split money $0.00 tokens 0t {"mock":[]}
worker each money $0.00 tokens 0t {"mock":[]}
worker remove money $0.00 tokens 0t {"mock":[]}

function out registers 2
  stage work switch
  step split in work worker split output r1
  step each in work worker each undo worker remove

       enter   work
       call    work/split
         edge    next next - L3
L3:    jump    L4
L4:    ref     r1                              ; work/split.out
       gather  work/each
       map     work/each L11
         edge    next next - L9
         edge    cancel cancel
L9:    leave   work
       return
L11:   call    work/each
         edge    next next - L13
L13:   hand
