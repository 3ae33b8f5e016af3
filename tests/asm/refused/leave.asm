; E0615: word 2: the stage that is left is the innermost, and no branch leaves what it began in

function out
  stage s switch
  stage t switch around s

       enter   s
       enter   t
; right: leave t
       leave   s
       return
