; E0614: word 2: references are gathered directly above the call that they are for

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w
  step b in s worker w

       enter   s
       ref     in
       gather  s/b                             ; right: gather s/a
       call    s/a
         edge    next next - L5
L5:    leave   s
       return
