; One counter for the option and for all choices: it counts to its limit and no further.
; answer chooser = write
;
; > work#1: x.chooser (write) -> write
; > work/write#1: x.write -> next
; > sent x.write

words next, write, plan
worker chooser money $0.00 tokens 0t {"mock":[]}
worker write money $0.00 tokens 0t {"mock":[]}
worker plan money $0.00 tokens 0t {"mock":[]}

function out registers 1
  counters 1, 2
  stage work select counters c0+2 chooser chooser names write, plan
  step write in work worker write
  step plan in work worker plan

       enter   work
L1:    choose  work 2 c0                       ; c0 at most 1
         option  c0 L6                         ; c0 at most 1
         option  c1 L9                         ; c1 at most 2
       leave   work
       return
L6:    call    work/write
         edge    next next - L8
L8:    jump    L1
L9:    call    work/plan
         edge    next next - L11
L11:   jump    L1
