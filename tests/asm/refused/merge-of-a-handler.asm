; E0615: word 1: two ways lead here from different stages or branches

function out registers 2
  stage s switch input r1 handler failure at @1 ; right: stage s switch input r1 handler failure at @2

       enter   s
       leave   s
       return
