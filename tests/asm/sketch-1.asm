; The first program of the sketch: one plan is sent back, the verifier is not content once.
; answer plan = ok, back, ok
; answer verify = back, ok
;
; > switch.1/reason#1: x.reason -> next
; > switch.1/plan#1: x.reason.plan -> next
; > switch.1/execute#1: x.reason.plan.execute -> next
; > switch.1/verify#1: x.reason.plan.execute.verify (back) -> back
; > switch.1/execute#2: x.reason.plan.execute.verify.execute -> next
; > switch.1/verify#2: x.reason.plan.execute.verify.execute.verify -> continue
; > switch.1/report#1: x.reason.plan.execute.verify.execute.report -> next
; > switch.1/answer#1: x.reason.plan.execute.verify.execute.report.answer -> send
; > sent x.reason.plan.execute.verify.execute.report.answer

words next, cancel, back, continue, send
worker reason money $0.00 tokens 0t {"mock":[]}
worker plan money $0.00 tokens 0t {"mock":[]}
worker execute money $0.00 tokens 0t {"mock":[]}
worker verify money $0.00 tokens 0t {"mock":[]}
worker report money $0.00 tokens 0t {"mock":[]}
worker answer money $0.00 tokens 0t {"mock":[]}

function out registers 1
  counters 8, 8, 8, 8, 8
  stage switch.1 switch counters c0+5
  step reason in switch.1 worker reason
  step plan in switch.1 worker plan
  step execute in switch.1 worker execute
  step verify in switch.1 worker verify
  step report in switch.1 worker report
  step answer in switch.1 worker answer

       enter   switch.1
       count   c0                              ; c0 at most 8
L2:    call    switch.1/reason
         edge    next next c1 L5               ; c1 at most 8
         edge    cancel cancel
L5:    jump    L6
L6:    call    switch.1/plan
         edge    next next c2 L10              ; c2 at most 8
         edge    back back c0 L11              ; c0 at most 8
         edge    cancel cancel
L10:   jump    L12
L11:   jump    L2
L12:   call    switch.1/execute
         edge    next next c3 L16              ; c3 at most 8
         edge    back back c1 L17              ; c1 at most 8
         edge    cancel cancel
L16:   jump    L18
L17:   jump    L6
L18:   call    switch.1/verify
         edge    back back c2 L21              ; c2 at most 8
         edge    continue continue c4 L22      ; c4 at most 8
L21:   jump    L12
L22:   jump    L23
L23:   call    switch.1/report
         edge    next next - L27
         edge    back back c2 L28              ; c2 at most 8
         edge    cancel cancel
L27:   jump    L29
L28:   jump    L12
L29:   call    switch.1/answer
         edge    send send - L31
L31:   leave   switch.1
       return
