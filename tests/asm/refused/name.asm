; E0610: words, row 0: a name is 1 to 65,536 letters, digits, `_`, `-`, `.` and `/`

words "two words"                              ; right: words two-words

function out

       return
