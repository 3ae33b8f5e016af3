; E0610: steps, row 0: a call goes to a function further down, so that calls never come back

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w undo function out       ; right: step a in s worker w undo function inner

       return

function inner

       return
