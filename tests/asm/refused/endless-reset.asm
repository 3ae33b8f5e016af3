; E0616: word 0: it lies on a cycle that no counter ends

function out
  counters 3
  stage s switch counters c0+1                 ; right: stage s switch

L0:    enter   s
       count   c0
       leave   s
       jump    L0
