; E0610: stages, row 1: the stage around it stands before it, in the same function

function out
  stage s switch

       return

function inner
  stage t switch around #0                     ; right: stage t switch

       return
