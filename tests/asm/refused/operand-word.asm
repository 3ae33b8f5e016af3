; E0612: word 2: it names something that this function does not have

worker w {"mock":[]}
words next

function out
  stage s switch
  step a in s worker w

       enter   s
       call    s/a
         edge    next #1 - L3                  ; right: edge next #0 - L3
L3:    leave   s
       return
