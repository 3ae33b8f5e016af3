; E0615: word 6: a value is handed in at the end of a branch or item, when every stage entered there was left

function out
  stage one join names a
  stage s switch around one

       enter   one
       join    one 1 1
         branch  0 L5
       leave   one
       return
L5:    enter   s
; right: leave s
       hand
