; E0615: word 2: two ways lead here from different stages or branches

function out
  counters 1
  stage s switch

       if-last c0 @2                           ; right: if-last c0 @3
       enter   s
       leave   s
       return
