; E0615: word 6: what it waits for is another element of a join around

function out
  stage both join names a, b

       enter   both
       join    both 2 2
         branch  0 L6
         branch  1 L8
       leave   both
       return
L6:    wait    both 2                          ; right: wait both 1
       hand
L8:    hand
