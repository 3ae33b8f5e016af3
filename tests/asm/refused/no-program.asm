; E0610: the module: a module has at least one function, the program

; right: function out
; right:        return
