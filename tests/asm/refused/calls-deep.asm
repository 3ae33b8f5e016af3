; E0610: steps, row 63: calls are nested at most 64 deep, the program being the first

worker w {"mock":[]}

function out
  stage s0 switch
  step a0 in s0 function f1

       return

function f1
  stage s1 switch
  step a1 in s1 function f2

       return

function f2
  stage s2 switch
  step a2 in s2 function f3

       return

function f3
  stage s3 switch
  step a3 in s3 function f4

       return

function f4
  stage s4 switch
  step a4 in s4 function f5

       return

function f5
  stage s5 switch
  step a5 in s5 function f6

       return

function f6
  stage s6 switch
  step a6 in s6 function f7

       return

function f7
  stage s7 switch
  step a7 in s7 function f8

       return

function f8
  stage s8 switch
  step a8 in s8 function f9

       return

function f9
  stage s9 switch
  step a9 in s9 function f10

       return

function f10
  stage s10 switch
  step a10 in s10 function f11

       return

function f11
  stage s11 switch
  step a11 in s11 function f12

       return

function f12
  stage s12 switch
  step a12 in s12 function f13

       return

function f13
  stage s13 switch
  step a13 in s13 function f14

       return

function f14
  stage s14 switch
  step a14 in s14 function f15

       return

function f15
  stage s15 switch
  step a15 in s15 function f16

       return

function f16
  stage s16 switch
  step a16 in s16 function f17

       return

function f17
  stage s17 switch
  step a17 in s17 function f18

       return

function f18
  stage s18 switch
  step a18 in s18 function f19

       return

function f19
  stage s19 switch
  step a19 in s19 function f20

       return

function f20
  stage s20 switch
  step a20 in s20 function f21

       return

function f21
  stage s21 switch
  step a21 in s21 function f22

       return

function f22
  stage s22 switch
  step a22 in s22 function f23

       return

function f23
  stage s23 switch
  step a23 in s23 function f24

       return

function f24
  stage s24 switch
  step a24 in s24 function f25

       return

function f25
  stage s25 switch
  step a25 in s25 function f26

       return

function f26
  stage s26 switch
  step a26 in s26 function f27

       return

function f27
  stage s27 switch
  step a27 in s27 function f28

       return

function f28
  stage s28 switch
  step a28 in s28 function f29

       return

function f29
  stage s29 switch
  step a29 in s29 function f30

       return

function f30
  stage s30 switch
  step a30 in s30 function f31

       return

function f31
  stage s31 switch
  step a31 in s31 function f32

       return

function f32
  stage s32 switch
  step a32 in s32 function f33

       return

function f33
  stage s33 switch
  step a33 in s33 function f34

       return

function f34
  stage s34 switch
  step a34 in s34 function f35

       return

function f35
  stage s35 switch
  step a35 in s35 function f36

       return

function f36
  stage s36 switch
  step a36 in s36 function f37

       return

function f37
  stage s37 switch
  step a37 in s37 function f38

       return

function f38
  stage s38 switch
  step a38 in s38 function f39

       return

function f39
  stage s39 switch
  step a39 in s39 function f40

       return

function f40
  stage s40 switch
  step a40 in s40 function f41

       return

function f41
  stage s41 switch
  step a41 in s41 function f42

       return

function f42
  stage s42 switch
  step a42 in s42 function f43

       return

function f43
  stage s43 switch
  step a43 in s43 function f44

       return

function f44
  stage s44 switch
  step a44 in s44 function f45

       return

function f45
  stage s45 switch
  step a45 in s45 function f46

       return

function f46
  stage s46 switch
  step a46 in s46 function f47

       return

function f47
  stage s47 switch
  step a47 in s47 function f48

       return

function f48
  stage s48 switch
  step a48 in s48 function f49

       return

function f49
  stage s49 switch
  step a49 in s49 function f50

       return

function f50
  stage s50 switch
  step a50 in s50 function f51

       return

function f51
  stage s51 switch
  step a51 in s51 function f52

       return

function f52
  stage s52 switch
  step a52 in s52 function f53

       return

function f53
  stage s53 switch
  step a53 in s53 function f54

       return

function f54
  stage s54 switch
  step a54 in s54 function f55

       return

function f55
  stage s55 switch
  step a55 in s55 function f56

       return

function f56
  stage s56 switch
  step a56 in s56 function f57

       return

function f57
  stage s57 switch
  step a57 in s57 function f58

       return

function f58
  stage s58 switch
  step a58 in s58 function f59

       return

function f59
  stage s59 switch
  step a59 in s59 function f60

       return

function f60
  stage s60 switch
  step a60 in s60 function f61

       return

function f61
  stage s61 switch
  step a61 in s61 function f62

       return

function f62
  stage s62 switch
  step a62 in s62 function f63

       return

function f63
  stage s63 switch
  step a63 in s63 function f64                 ; right: step a63 in s63 worker w

       return

function f64
  stage s64 switch

       return
