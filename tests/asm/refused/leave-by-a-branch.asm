; E0615: word 5: the stage that is left is the innermost, and no branch leaves what it began in

function out
  stage one join names a

       enter   one
       join    one 1 1
         branch  0 L5
       leave   one
       return
L5:    leave   one                             ; right:
       hand
