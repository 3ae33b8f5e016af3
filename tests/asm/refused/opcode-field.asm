; E0611: word 0: it is no instruction of this format

function out

       raw     0x1500000000000001              ; right: raw 0x1500000000000000
