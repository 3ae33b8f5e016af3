{ print answer($2), $1, $2 }
