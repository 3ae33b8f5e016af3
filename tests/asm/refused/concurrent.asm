; E0615: word 6: a stage is entered in one branch only, so that nobody sets to zero what another counts

function out
  counters 8
  stage both join counters c0+1 names a, b
  stage s switch around both counters c0+1

       enter   both
       join    both 2 2
         branch  0 L6
         branch  1 L10
       leave   both
       return
L6:    enter   s                               ; right: jump L9
       count   c0                              ; right: jump L9
       leave   s                               ; right: jump L9
L9:    hand
L10:   enter   s
       count   c0
       leave   s
       hand
