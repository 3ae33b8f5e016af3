; E0610: stages, row 0: a stage with a handler keeps its input, and the handler catches kinds that there are

function out registers 2
  counters 1
  stage s switch input r1 handler failure counter c1 at @0 ; right: stage s switch input r1 handler failure counter c0 at @0

       return
