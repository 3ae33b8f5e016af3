; E0612: word 1: it names something that this function does not have

function out
  stage s switch

       return

function inner
  stage t switch

       enter   #0                              ; right: enter t
       leave   t
       return
