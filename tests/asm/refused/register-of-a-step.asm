; E0610: steps, row 0: a register is one of its function, and register 0 holds the input and nothing else

worker w {"mock":[]}

function out registers 2
  stage s switch
  step a in s worker w output r2               ; right: step a in s worker w output r1

       return
