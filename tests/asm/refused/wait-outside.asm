; E0615: word 1: what it waits for is another element of a join around

function out
  stage one join names a

       enter   one
       wait    one 0                           ; right:
       join    one 1 1
         branch  0 L6
       leave   one
       return
L6:    hand
