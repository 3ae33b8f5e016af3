; E0614: word 1: edges, branches and options stand directly under the instruction that they belong to, as many as it says

function out
  stage s switch

       enter   s
         edge    next next - +1                ; right:
       leave   s
       return
