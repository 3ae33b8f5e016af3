; E0610: functions, row 0: a function has register 0, and no more than its stages and steps can name

function out registers 0                       ; right: function out registers 1

       return
