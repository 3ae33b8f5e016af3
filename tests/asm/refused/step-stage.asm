; E0610: steps, row 0: the stage of a step is one of its function

worker w {"mock":[]}

function out
  stage s switch

       return

function inner
  stage t switch
  step a in #0 worker w                        ; right: step a in t worker w

       return
