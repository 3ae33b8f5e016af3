; A step that fails is called again twice, then a match catches the failure and goes on without it.
; answer fetch = fail
;
; > get/fetch#1: Failure -> retry
; > get/fetch#1 2: Failure -> retry
; > get/fetch#1 3: Failure -> cancel (not retry)
; > other/ask#1: x!E0900.ask -> send
; > sent x!E0900.ask

words next, retry, cancel, send, success, failure
worker fetch money $0.00 tokens 0t {"mock":[]}
worker ask money $0.00 tokens 0t {"mock":[]}

function out registers 2
  stage get switch input r1 handler failure at L9
  stage rescue match names success, failure
  stage other switch around rescue
  step fetch in get worker fetch
  step ask in other worker ask

       enter   get
       call    get/fetch
         edge    next next - L5
         edge    retry retry - 2
         edge    cancel cancel
L5:    leave   get
       jump    L7
L7:    enter   rescue
       jump    L12
L9:    enter   rescue
       if-kind failure L16
       fail    rescue
L12:   pick
         edge    send send - L14
L14:   leave   rescue
       return
L16:   enter   other
       call    other/ask
         edge    send send - L19
L19:   leave   other
       leave   rescue
       return
