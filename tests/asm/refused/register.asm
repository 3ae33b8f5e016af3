; E0610: stages, row 0: a register is one of its function, and register 0 holds the input and nothing else

function out registers 2
  stage s switch input in                      ; right: stage s switch input r1

       return
