; E0610: functions, row 0: functions divide code, stages and steps among them, in order and without a gap, and have code

function out
  code 0..2                                    ; right:

       return
