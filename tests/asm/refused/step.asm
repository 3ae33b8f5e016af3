; E0615: word 2: a step runs in its stage; what stands in a join, in its branch

worker w {"mock":[]}

function out
  stage s switch
  stage t switch around s
  step a in s worker w                         ; right: step a in t worker w

       enter   s
       enter   t
       call    #0
         edge    next next - L4
L4:    leave   t
       leave   s
       return
