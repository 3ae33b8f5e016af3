; E0615: word 1: a function ends outside of every stage

function out
  stage s switch

       enter   s
; right: leave s
       return
