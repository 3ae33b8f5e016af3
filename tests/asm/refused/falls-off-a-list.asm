; E0613: word 3: behind it the function ends: what is last jumps, returns, hands in or fails

function out
  stage one join names a

       enter   one
       jump    L3
L2:    hand
L3:    join    one 1 1
         branch  0 L2
; right: leave one
; right: return
