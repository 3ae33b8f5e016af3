; E0610: stages, row 0: the counters of a stage lie inside those of the stage around it, apart from its neighbours'

function out
  counters 1
  stage s switch counters c2+0                 ; right: stage s switch counters c1+0

       enter   s
       leave   s
       return
