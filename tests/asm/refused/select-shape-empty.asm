; E0612: word 1: a select has one option for each of its names

function out
  stage s select

       enter   s
       choose  s 0                             ; right:
       leave   s
       return
