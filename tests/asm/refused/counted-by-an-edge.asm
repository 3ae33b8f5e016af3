; E0616: word 1: a counter is counted in the stage that it belongs to, or in one inside

worker w {"mock":[]}

function out
  counters 1
  stage s switch
  stage t switch counters c0+1                 ; right: stage t switch
  step a in s worker w

       enter   s
       call    s/a
         edge    next next c0 L3
L3:    leave   s
       return
