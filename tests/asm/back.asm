; A verifier that says "back" until its own count ends that: `verify` goes back as often as `write` may be visited.
; answer verify = back
;
; > draft/write#1: x.write -> next
; > draft/verify#1: x.write.verify (back) -> back
; > draft/write#2: x.write.verify.write -> next
; > draft/verify#2: x.write.verify.write.verify (back) -> back
; > draft/write#3: x.write.verify.write.verify.write -> next
; > draft/verify#3: x.write.verify.write.verify.write.verify (back) -> exhausted (not back)
; > Exhausted E0703 at draft/verify#3

words next, cancel, back, continue
worker write money $0.00 tokens 0t {"mock":[]}
worker verify money $0.00 tokens 0t {"mock":[]}

function out registers 1
  counters 3
  stage draft switch counters c0+1
  step write in draft worker write
  step verify in draft worker verify

       enter   draft
       count   c0                              ; c0 at most 3
L2:    call    draft/write
         edge    next next - L5
         edge    cancel cancel
L5:    jump    L6
L6:    call    draft/verify
         edge    back back c0 L9               ; c0 at most 3
         edge    continue continue - L10
L9:    jump    L2
L10:   leave   draft
       return
