; E0614: word 3: edges, branches and options stand directly under the instruction that they belong to, as many as it says

worker w {"mock":[]}

function out
  counters 1
  stage s select names a
  step a in s worker w

       enter   s
L1:    choose  s 1
         option  c0 L5
         option  c0 L5                         ; right:
       leave   s
       return
L5:    call    s/a
         edge    cancel cancel
