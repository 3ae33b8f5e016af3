; E0614: word 1: references are gathered directly above the call that they are for

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w

       enter   s
       ref     in                              ; right:
       call    s/a
         edge    next next - L4
L4:    leave   s
       return
