; Stages and what parts them.
["switch" "select" "join" "match"] @keyword
["out" "in"] @variable.builtin
["<=" "=>" "~" "|" "||" "*"] @operator
["(" ")" "[" "]"] @punctuation.bracket
["<" ">"] @punctuation.bracket
["," "."] @punctuation.delimiter
["+++"] @punctuation.special

; Who is called, and what is defined.
(definition name: (word) @function)
(step worker: (path (word) @function.call))
(step undo: (path (word) @function.call))

; Where it goes.
(outcome) @keyword.return
(outcome (count) @number)
"jump" @keyword.return
(arm on: (word) @constant)
(arm on: ["default" "cancel" "timeout"] @constant.builtin)

; Labels, and what refers to them.
(stage label: (word) @label)
(reference stage: (word) @label)
(reference step: (word) @variable.member)
(jump stage: (word) @label)
(jump step: (word) @variable.member)

; Limits.
[(count) (duration) (money) (tokens)] @number
(behaviour) @attribute

(comment) @comment
