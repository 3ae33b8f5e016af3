; E0612: word 2: a retry says how often, `cancel` and `timeout` lead nowhere, every other edge leads down

function out
  stage m match

       enter   m
       pick
         edge    send send                     ; right: edge send send - L3
L3:    leave   m
       return
