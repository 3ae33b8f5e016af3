; E0613: word 4: it leads to an instruction of the same function, not into a list of edges, branches or options

worker w {"mock":[]}

function out
  counters 1
  stage s switch
  step a in s worker w

       enter   s
L1:    call    s/a
         edge    back back c0 L4
         edge    cancel cancel
L4:    jump    @3                              ; right: jump L1
