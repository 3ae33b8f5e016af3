; E0612: word 0: it names something that this function does not have

function out
  counters 3

       count   c1                              ; right: count c0
       return
