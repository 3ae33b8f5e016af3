; A definition is a worker: its verdict is the step's, its steps have keys of their own, its undoers are its caller's.
; answer find = found, found
; answer last = fail, ok
;
; > work/research#1/look/search#1: x.search -> next
; > work/research#1/look/find#1: x.search.find (found) -> send
; > work/research#1 ended x.search.find -> next
; > work/last#1: Failure -> cancel
; > work/research#1/look/search#1~undo: x.search.forget -> undone
; > work/research#2/look/search#1: x!E0900.search -> next
; > work/research#2/look/find#1: x!E0900.search.find (found) -> send
; > work/research#2 ended x!E0900.search.find -> next
; > work/last#2: x!E0900.search.find.last -> send
; > sent x!E0900.search.find.last

words next, send, cancel, work, success, failure, found
worker last money $0.00 tokens 0t {"mock":[]}
worker search money $0.00 tokens 0t {"mock":[]}
worker forget money $0.00 tokens 0t {"mock":[]}
worker find money $0.00 tokens 0t {"words":["found"],"mock":[]}

function out registers 2
  counters 2
  verdicts found
  stage work switch input r1 counters c1+0 handler failure at L12
  stage match.2 match counters c1+0 names success, failure
  step research in work function research verdicts found
  step last in work worker last

       count   c0                              ; c0 at most 2
L1:    enter   work
       call    work/research
         edge    next next - L4
L4:    jump    L5
L5:    call    work/last
         edge    send send - L8
         edge    cancel cancel
L8:    leave   work
       jump    L10
L10:   enter   match.2
       jump    L15
L12:   enter   match.2
       if-kind failure L19
       fail    match.2
L15:   pick
         edge    send send - L17
L17:   leave   match.2
       return
L19:   pick
         edge    jump work c0 L21              ; c0 at most 2
L21:   leave   match.2 jump
       jump    L1

function research registers 1
  verdicts found
  stage look switch
  step search in look worker search undo worker forget
  step find in look worker find verdicts found

       enter   look
       call    look/search
         edge    next next - L26
L26:   jump    L27
L27:   call    look/find
         edge    send send - L29
L29:   leave   look
       return
