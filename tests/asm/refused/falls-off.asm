; E0613: word 1: behind it the function ends: what is last jumps, returns, hands in or fails

function out
  stage s switch

       enter   s
       leave   s
; right: return
