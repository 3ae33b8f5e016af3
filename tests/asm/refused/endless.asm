; E0616: word 0: it lies on a cycle that no counter ends

function out
  counters 3

L0:    jump    L1
L1:    jump    L0                              ; right: count c0
; right: jump L0
