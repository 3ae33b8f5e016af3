; A chooser picks among steps until nothing is left; one answer names no step.
; answer chooser = plan, nonsense, write, plan
; answer plan = ok, back
;
; > work#1: x.chooser (plan) -> plan
; > work/plan#1: x.plan -> next
; > work#2: x.plan.chooser (nonsense) -> not-chosen
; > work#2 2: x.plan.chooser (write) -> write
; > work/write#1: x.plan.write -> next
; > work#3: x.plan.write.chooser (plan) -> plan
; > work/plan#2: x.plan.write.plan (back) -> cancel (not back)
; > Cancel

words next, cancel, back, write, plan
worker chooser money $0.00 tokens 0t {"mock":[]}
worker write money $0.00 tokens 0t {"mock":[]}
worker plan money $0.00 tokens 0t {"mock":[]}

function out registers 1
  counters 1, 2
  stage work select counters c0+2 chooser chooser names write, plan
  step write in work worker write
  step plan in work worker plan

       enter   work
L1:    choose  work 2
         option  c0 L6                         ; c0 at most 1
         option  c1 L10                        ; c1 at most 2
       leave   work
       return
L6:    call    work/write
         edge    next next - L9
         edge    cancel cancel
L9:    jump    L1
L10:   call    work/plan
         edge    next next - L14
         edge    back back c0 L15              ; c0 at most 1
         edge    cancel cancel
L14:   jump    L1
L15:   jump    L6
