# Prints the name of the first test that fails.
expect() {
    result=$(sh calc/calc.sh "$1" "$2" "$3" 2>/dev/null)
    [ "$result" = "$4" ] || { echo "$1 $2 $3 gives $result, not $4"; exit 1; }
}
expect add 2 3 5
expect subtract 7 4 3
expect multiply 6 7 42
expect divide 84 2 42
