; E0610: stages, row 0: a stage with a handler keeps its input, and the handler catches kinds that there are

function out registers 2
  stage s switch input r1 handler 0x10 at @0   ; right: stage s switch input r1 handler failure at @0

       return
