; E0613: stages, row 0: it leads to an instruction of the same function, not into a list of edges, branches or options

function out registers 2
  stage s switch input r1 handler failure at @1 ; right: stage s switch input r1 handler failure at @0

       return
