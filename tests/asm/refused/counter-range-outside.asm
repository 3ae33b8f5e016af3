; E0610: stages, row 1: the counters of a stage lie inside those of the stage around it, apart from its neighbours'

function out
  counters 1, 1
  stage s switch counters c0+1
  stage t switch around s counters c0+2        ; right: stage t switch around s counters c0+1

       return
