; E0615: word 5: a function ends outside of every stage

function out
  stage one join names a

       enter   one
       join    one 1 1
         branch  0 L5
       leave   one
       return
L5:    return                                  ; right: hand
