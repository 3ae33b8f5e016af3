; E0610: stages, row 0: it refers to a row that is not there

words a, b

function out
  stage s join names a, #2                     ; right: stage s join names a, b

       return
