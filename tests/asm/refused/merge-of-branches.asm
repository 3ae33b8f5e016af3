; E0615: word 6: two ways lead here from different stages or branches

function out
  stage both join names a, b

       enter   both
       join    both 2 2
         branch  0 L6
         branch  1 L6                          ; right: branch 1 L7
       leave   both
       return
L6:    hand
L7:    hand
