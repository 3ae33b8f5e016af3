; E0615: word 1: a stage is entered in the stage around it; what stands in a join, in its branch

function out
  stage j join                                 ; right: stage j switch
  stage t switch around j

       enter   j
       enter   t
       leave   t
       leave   j
       return
