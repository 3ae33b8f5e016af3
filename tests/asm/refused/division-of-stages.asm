; E0610: functions, row 1: functions divide code, stages and steps among them, in order and without a gap, and have code

function out
  stages 0+0                                   ; right:
  stage s switch

       return

function inner

       return
