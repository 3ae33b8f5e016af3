; E0610: steps, row 0: a name is 1 to 65,536 letters, digits, `_`, `-`, `.` and `/`

worker w {"mock":[]}

function out
  stage s switch
  step "a/b" in s worker w                     ; right: step "a.b" in s worker w

       return
