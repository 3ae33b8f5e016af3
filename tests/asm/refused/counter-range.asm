; E0610: stages, row 2: the counters of a stage lie inside those of the stage around it, apart from its neighbours'

function out
  counters 1, 1, 1
  stage s switch counters c0+3
  stage t switch around s counters c0+2
  stage u switch around s counters c1+2        ; right: stage u switch around s counters c2+1

       return
