; E0610: functions, row 0: it refers to a row that is not there

words a, b

function out
  verdicts a, #2                               ; right: verdicts a, b

       return
