; Two transaction steps, the second in a stage that was left; what comes later fails: both are undone, the last first.
; answer last = fail
; answer detach = fail, ok
;
; > make/create#1: x.create -> next
; > tie/attach#1: x.create.attach -> next
; > tie/last#1: Failure -> cancel
; > tie/attach#1~undo: Failure -> not-undone
; > tie/attach#1~undo 2: x.create.attach.detach -> undone
; > make/create#1~undo: x.create.remove -> undone
; > Failure E0900 at tie/last#1

words next, send, cancel
worker create money $0.00 tokens 0t {"mock":[]}
worker remove money $0.00 tokens 0t {"mock":[]}
worker attach money $0.00 tokens 0t {"mock":[]}
worker detach money $0.00 tokens 0t {"mock":[]}
worker last money $0.00 tokens 0t {"mock":[]}

function out registers 1
  stage make switch
  stage tie switch
  step create in make worker create undo worker remove
  step attach in tie worker attach undo worker detach
  step last in tie worker last

       enter   make
       call    make/create
         edge    next next - L3
L3:    leave   make
       jump    L5
L5:    enter   tie
       call    tie/attach
         edge    next next - L8
L8:    jump    L9
L9:    call    tie/last
         edge    send send - L12
         edge    cancel cancel
L12:   leave   tie
       return
