; E0610: stages, row 64: stages are nested at most 64 deep

function out
  stage s1 switch
  stage s2 switch around s1
  stage s3 switch around s2
  stage s4 switch around s3
  stage s5 switch around s4
  stage s6 switch around s5
  stage s7 switch around s6
  stage s8 switch around s7
  stage s9 switch around s8
  stage s10 switch around s9
  stage s11 switch around s10
  stage s12 switch around s11
  stage s13 switch around s12
  stage s14 switch around s13
  stage s15 switch around s14
  stage s16 switch around s15
  stage s17 switch around s16
  stage s18 switch around s17
  stage s19 switch around s18
  stage s20 switch around s19
  stage s21 switch around s20
  stage s22 switch around s21
  stage s23 switch around s22
  stage s24 switch around s23
  stage s25 switch around s24
  stage s26 switch around s25
  stage s27 switch around s26
  stage s28 switch around s27
  stage s29 switch around s28
  stage s30 switch around s29
  stage s31 switch around s30
  stage s32 switch around s31
  stage s33 switch around s32
  stage s34 switch around s33
  stage s35 switch around s34
  stage s36 switch around s35
  stage s37 switch around s36
  stage s38 switch around s37
  stage s39 switch around s38
  stage s40 switch around s39
  stage s41 switch around s40
  stage s42 switch around s41
  stage s43 switch around s42
  stage s44 switch around s43
  stage s45 switch around s44
  stage s46 switch around s45
  stage s47 switch around s46
  stage s48 switch around s47
  stage s49 switch around s48
  stage s50 switch around s49
  stage s51 switch around s50
  stage s52 switch around s51
  stage s53 switch around s52
  stage s54 switch around s53
  stage s55 switch around s54
  stage s56 switch around s55
  stage s57 switch around s56
  stage s58 switch around s57
  stage s59 switch around s58
  stage s60 switch around s59
  stage s61 switch around s60
  stage s62 switch around s61
  stage s63 switch around s62
  stage s64 switch around s63
  stage s65 switch around s64                  ; right:

       return
