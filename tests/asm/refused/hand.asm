; E0615: word 0: a value is handed in at the end of a branch or item, when every stage entered there was left

function out

       hand                                    ; right: return
