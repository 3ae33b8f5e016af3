; E0611: word 0: it is no instruction of this format

function out

       raw     0xff00000000000000              ; right:
       return
