; E0615: word 1: a step runs in its stage; what stands in a join, in its branch

worker w {"mock":[]}

function out
  stage j join                                 ; right: stage j switch
  step a in j worker w

       enter   j
       call    j/a
         edge    next next - L3
L3:    leave   j
       return
