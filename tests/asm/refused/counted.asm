; E0616: word 0: a counter is counted in the stage that it belongs to, or in one inside

function out
  counters 1
  stage s switch counters c0+1                 ; right: stage s switch

       count   c0
       return
