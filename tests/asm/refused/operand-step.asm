; E0612: word 1: it names something that this function does not have

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w

       enter   s
       call    #1                              ; right: call s/a
         edge    next next - L3
L3:    leave   s
       return
