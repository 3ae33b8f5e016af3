; E0615: word 2: it runs in its own stage, of the kind that it belongs to, and outside of the branches

function out
  stage one join names a
  stage t switch around one

       enter   one
       jump    L2
L2:    join    #1 1 1                          ; right: join one 1 1
         branch  0 L6
       leave   one
       return
L6:    hand
