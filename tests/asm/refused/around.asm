; E0610: stages, row 1: the stage around it stands before it, in the same function

function out
  stage s switch
  stage t switch around t                      ; right: stage t switch around s

       return
