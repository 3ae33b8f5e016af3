; E0610: stages, row 0: it refers to a row that is not there

worker w {"mock":[]}

function out
  stage s select chooser #1                    ; right: stage s select chooser w

       return
