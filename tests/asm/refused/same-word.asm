; E0610: words, row 2: no word stands in the table twice

words a, b, a                                  ; right: words a, b, c

function out

       return
