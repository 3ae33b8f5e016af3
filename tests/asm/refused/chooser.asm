; E0610: stages, row 0: only a select has a chooser

worker w {"mock":[]}

function out
  stage s switch chooser w                     ; right: stage s select chooser w

       return
