; E0615: word 5: it runs in its own stage, of the kind that it belongs to, and outside of the branches

function out
  stage one join names a

       enter   one
       join    one 1 1
         branch  0 L5
       leave   one
       return
L5:    join    one 1 1                         ; right: hand
         branch  0 L8                          ; right:
       hand
L8:    hand
