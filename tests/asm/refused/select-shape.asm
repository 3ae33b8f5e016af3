; E0612: word 1: a select has one option for each of its names

worker w {"mock":[]}

function out
  counters 1
  stage s select names a, b                    ; right: stage s select names a
  step a in s worker w

       enter   s
L1:    choose  s 1
         option  c0 L5
       leave   s
       return
L5:    call    s/a
         edge    next next - L7
L7:    jump    L1
