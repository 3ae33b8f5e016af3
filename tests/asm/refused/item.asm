; E0615: word 5: an item of a fan-out calls the step of its `map` and hands in, and nothing else

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w
  step b in s worker w

       enter   s
       map     s/a L5
         edge    next next - L3
L3:    leave   s
       return
L5:    call    s/b                             ; right: call s/a
         edge    next next - L7
L7:    hand
