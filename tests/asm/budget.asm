; A stage may spend $0.10; the call that it cannot pay for is not made, and the stage ends exhausted.
; answer think = back costs 40000
;
; > work/start#1: x.start -> next
; > work/think#1: x.start.think (back) -> back
; > work/start#2: x.start.think.start -> next
; > work/think#2: x.start.think.start.think (back) -> back
; > work/start#3: x.start.think.start.think.start -> next
; > work/think#3 not made E0705 -> back
; > work/start#4: x.start.think.start.think.start!E0705.start -> next
; > work/think#4 not made E0705 -> back
; > work/start#5: x.start.think.start.think.start!E0705.start!E0705.start -> exhausted (not next)
; > Exhausted E0703 at work/start#5

words next, back, think
worker start money $0.00 tokens 0t {"mock":[]}
worker think money $0.04 tokens 0t {"cost":"$0.04","mock":[]}

function out registers 1
  counters 4
  stage work switch money $0.10 counters c0+1
  step start in work worker start
  step think in work worker think

       enter   work
L1:    call    work/start
         edge    next next c0 L3               ; c0 at most 4
L3:    jump    L4
L4:    call    work/think
         edge    next next - L8
         edge    back back - L10
         edge    jump think c0 L11             ; c0 at most 4
L8:    leave   work
       return
L10:   jump    L1
L11:   jump    L4
