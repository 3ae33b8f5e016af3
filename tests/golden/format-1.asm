; aivm assembly, format 1
words next, cancel, send, timeout, back, analyze, mylabel, 1, 2, reason, plan, success, default, done
worker clean money $0.00 tokens 0t {"mock":[{}]}
worker validate money $0.00 tokens 0t {"mock":[{}]}
worker enrich money $0.00 tokens 0t {"mock":[{}]}
worker analyze money $0.00 tokens 0t {"mock":[{"output":"two tables, one join"}]}
worker model money $0.00 tokens 0t {"mock":["back",{"output":"a star schema"}]}
worker optimize money $0.00 tokens 0t {"mock":[{"output":"a star schema with an index"}]}
worker reason money $0.00 tokens 0t {"mock":[{"fail":"the first thought led nowhere"},{"output":"start with the facts"}]}
worker plan money $0.00 tokens 0t {"mock":[{"output":"load, check, publish"}]}
worker format money $0.00 tokens 0t {"mock":[{"output":"load\ncheck\npublish"}]}
worker save money $0.00 tokens 0t {"mock":[{}]}

function out registers 3
  counters 8, 8, 8, 8, 8, 5, 8, 8, 5
  stage switch.1 switch
  stage step2 switch counters c1+3
  stage join.3 join input r1 counters c5+2 handler failure+exhausted+timeout counter c7 at L71 names 1, 2
  stage join.3/1/select.1 select around join.3 counters c5+2 names reason, plan
  stage join.3/2/switch.1 switch around join.3 counters c7+0
  stage match.4 match counters c8+0 names success, default
  stage mylabel switch counters c9+0
  stage mylabel/4/match.1 match around mylabel counters c9+0 names done, default
  step clean in switch.1 worker clean
  step validate in switch.1 worker validate
  step enrich in switch.1 worker enrich
  step analyze in step2 worker analyze output r2
  step model in step2 worker model
  step optimize in step2 worker optimize
  step reason in join.3/1/select.1 worker reason
  step plan in join.3/1/select.1 worker plan
  step format in join.3/2/switch.1 worker format
  step save in join.3/2/switch.1 worker save
  step clean in mylabel worker clean
  step validate in mylabel worker validate
  step enrich in mylabel worker enrich

       enter   switch.1
       call    switch.1/clean
         edge    next next - L4
         edge    cancel cancel
L4:    jump    L5
L5:    call    switch.1/validate
         edge    next next - L8
         edge    cancel cancel
L8:    jump    L9
L9:    call    switch.1/enrich
         edge    send send c0 L12              ; c0 at most 8
         edge    cancel cancel
L12:   leave   switch.1
       jump    L14
L14:   enter   step2
       count   c1                              ; c1 at most 8
L16:   call    step2/analyze
         edge    next next c2 L20              ; c2 at most 8
         edge    cancel cancel
         edge    timeout timeout
L20:   jump    L21
L21:   call    step2/model
         edge    next next c3 L25              ; c3 at most 8
         edge    back back c1 L26              ; c1 at most 8
         edge    cancel cancel
L25:   jump    L27
L26:   jump    L16
L27:   call    step2/optimize
         edge    send send c4 L31              ; c4 at most 8
         edge    back back c2 L33              ; c2 at most 8
         edge    cancel cancel
L31:   leave   step2
       jump    L34
L33:   jump    L21
L34:   enter   join.3
       join    join.3 2 2
         branch  0 L41
         branch  1 L59
       leave   join.3
       count   c7                              ; c7 at most 8
       jump    L69
L41:   enter   join.3/1/select.1
L42:   choose  join.3/1/select.1 2
         option  c5 L47                        ; c5 at most 5
         option  c6 L51                        ; c6 at most 8
       leave   join.3/1/select.1
       hand
L47:   call    join.3/1/select.1/reason
         edge    next next - L50
         edge    cancel cancel
L50:   jump    L42
L51:   ref     r2                              ; step2/analyze.out
       gather  join.3/1/select.1/plan
       call    join.3/1/select.1/plan
         edge    next next - L57
         edge    back back c5 L58              ; c5 at most 5
         edge    cancel cancel
L57:   jump    L42
L58:   jump    L47
L59:   enter   join.3/2/switch.1
       call    join.3/2/switch.1/format
         edge    next next - L64
         edge    back back
         edge    cancel cancel
L64:   jump    L65
L65:   call    join.3/2/switch.1/save
         edge    send send - L67
L67:   leave   join.3/2/switch.1
       hand
L69:   enter   match.4
       jump    L74
L71:   enter   match.4
       if-kind failure+exhausted+timeout L78
       fail    match.4
L74:   pick
         edge    send send c8 L76              ; c8 at most 5
L76:   leave   match.4
       jump    L84
L78:   pick
         edge    jump analyze c0 L80           ; c0 at most 8
L80:   leave   match.4 jump
       enter   step2
       count   c1                              ; c1 at most 8
       jump    L16
L84:   enter   mylabel
       call    mylabel/clean
         edge    next next - L88
         edge    cancel cancel
L88:   jump    L89
L89:   call    mylabel/validate
         edge    next next - L92
         edge    cancel cancel
L92:   jump    L93
L93:   call    mylabel/enrich
         edge    next next - L96
         edge    cancel cancel
L96:   jump    L97
L97:   enter   mylabel/4/match.1
       if-last c8 L100                         ; c8 at most 5
       jump    L105
L100:  pick
         edge    send send - L102
L102:  leave   mylabel/4/match.1
       leave   mylabel
       return
L105:  pick
         edge    jump mylabel c8 L107          ; c8 at most 5
L107:  leave   mylabel/4/match.1 jump
       leave   mylabel jump
       jump    L84
