; E0612: word 1: it asks for kinds of ending that there are not

function out
  stage m match

       enter   m
       if-kind 0x10 L2                         ; right: if-kind failure L2
L2:    leave   m
       return
