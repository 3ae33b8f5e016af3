; E0614: word 1: edges, branches and options stand directly under the instruction that they belong to, as many as it says

function out
  stage both join names a, b

       enter   both
       join    both 2 2
         branch  0 L6
; right: branch 1 L7
       leave   both
       return
L6:    hand
L7:    hand
