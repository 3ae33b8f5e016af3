; E0613: word 0: it leads to an instruction of the same function, not into a list of edges, branches or options

function out

       jump    @2                              ; right: jump @1
       return

function inner

       return
