; E0613: word 2: it leads to an instruction of the same function, not into a list of edges, branches or options

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w

       enter   s
       call    s/a
         edge    next next - +9                ; right: edge next next - +1
       leave   s
       return
