; E0615: word 1: it runs in its own stage, of the kind that it belongs to, and outside of the branches

function out
  stage m switch                               ; right: stage m match

       enter   m
       fail    m
