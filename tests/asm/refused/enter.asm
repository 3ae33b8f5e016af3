; E0615: word 0: a stage is entered in the stage around it; what stands in a join, in its branch

function out
  stage s switch
  stage t switch around s

; right: enter s
       enter   t
       leave   t
; right: leave s
       return
