; E0612: word 1: a join has one branch for each element, in order, at least one, and takes at most all

function out
  stage both join names a, b

       enter   both
       join    both 0 0                        ; right: join both 2 1
         branch  0 L6
         branch  1 L7
       leave   both
       return
L6:    hand
L7:    hand
