; E0610: functions, row 0: verdicts stand in ascending order

words a, b

function out
  verdicts b, a                                ; right: verdicts a, b

       return
