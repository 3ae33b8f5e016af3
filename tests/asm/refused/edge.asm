; E0612: word 3: a retry says how often, `cancel` and `timeout` lead nowhere, every other edge leads down

worker w {"mock":[]}

function out
  stage s switch
  step a in s worker w

       enter   s
       call    s/a
         edge    next next - L4
         edge    cancel cancel - L4            ; right: edge cancel cancel
L4:    leave   s
       return
