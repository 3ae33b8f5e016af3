; E0614: word 1: edges, branches and options stand directly under the instruction that they belong to, as many as it says

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w

       enter   s
       call    s/a
; right: edge next next - +1
       leave   s
       return
