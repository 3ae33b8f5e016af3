; E0610: steps, row 0: a call goes to a function further down, so that calls never come back

function out

       return

function inner
  stage s switch
  step a in s function inner                   ; right: step a in s function innermost

       return

function innermost

       return
