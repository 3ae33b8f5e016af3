; E0610: functions, row 0: a counter allows at least 1, and a function has fewer than 65,535

function out
  counters 1, 0                                ; right: counters 1, 1

       return
