; E0616: word 0: it lies on a cycle that no counter ends

function out registers 2
  counters 3
  stage s switch input r1 handler failure at L0 ; right: stage s switch input r1 handler failure counter c0 at L0

L0:    enter   s
       leave   s
       return
