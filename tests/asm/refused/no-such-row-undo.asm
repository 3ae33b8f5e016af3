; E0610: steps, row 0: it refers to a row that is not there

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w undo function #1        ; right: step a in s worker w undo worker w

       return
