; E0612: word 1: it names something that this function does not have

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w

       enter   s
       ref     r1                              ; right: ref in
       gather  s/a
       call    s/a
         edge    next next - L5
L5:    leave   s
       return
