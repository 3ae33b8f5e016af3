#!/usr/bin/env bash
# Hostile files through the whole program: benches/hostile.sh [AIVM]. Builds the release program when none is named.
#
# Each must be an error with a code, exit 2. Of any size: within 2 s and 200 MB. Just below the 1 MiB that a source may have: within
# 0.5 s, by another error than "too long". Seconds are the processor's, since others may use the machine. Prints a table; ends with
# 1 when a bar is missed. Wants GNU time.
set -eu
cd "$(dirname "$0")/.."
program=${1:-}
if [ -z "$program" ]; then
    cargo build --quiet --release --locked --bin aivm
    program=${CARGO_TARGET_DIR:-target}/release/aivm
fi
program=$(realpath "$program")
command -v /usr/bin/time >/dev/null || { echo "GNU time is missing: apt-get install time"; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export HOME=$folder LC_ALL=C

below=$(((1 << 20) - 1))
# One line for each family: what was missed. A file, since families that come in by a pipe are measured in a subshell.
: >verdicts
printf '| family | bytes | s | MB | error | |\n| --- | ---: | ---: | ---: | --- | --- |\n'

# measure FAMILY FILE MOST_SECONDS [COMMAND]: what the program says to a file.
measure() {
    local family=$1 file=$2 most=$3 code=0 seconds kilobytes error verdict= before=--ephemeral
    [ "${4:-run}" = run ] || before=
    timeout 20 /usr/bin/time -o time -f '%U %S %M' "$program" "${4:-run}" "$file" $before >out 2>err </dev/null || code=$?
    read -r seconds kilobytes < <(tail -n 1 time | awk '{ print $1 + $2, $3 }')
    error=$(grep -ao -m 1 '[AE]0[0-9]\{3\}' err | head -n 1)
    [ "$code" = 2 ] && [ -n "$error" ] || verdict="exit $code"
    awk "BEGIN { exit !($seconds > $most) }" && verdict+=" slow"
    [ "$kilobytes" -le 204800 ] || verdict+=" large"
    [ "$most" = 2 ] || [ "$error" != E0101 ] || verdict+=" too long"
    echo "${verdict:-ok}" >>verdicts
    printf '| %s | %d | %s | %d | %s | %s |\n' \
        "${family//|/\\|}" "$(stat -c %s "$file")" "$seconds" $((kilobytes / 1024)) "$error" "${verdict:-ok}"
}

# endless TEXT: again and again, without line ends. numbered TEXT: a line for each number, the number in place of `@`.
endless() { yes "$1" | tr -d '\n'; }
numbered() { seq 1000000 | awk -v text="$1" '{ line = text; gsub("@", $1, line); print line }'; }
# any FAMILY BYTES: so many of what comes in.
any() { head -c "$2" >any.aivm; measure "$1" any.aivm 2; }
# full FAMILY: as much of what comes in as a source may have.
full() { head -c "$below" >full.aivm; measure "$1" full.aivm 0.5; }
# again FAMILY BEFORE TEXT BEHIND: the text between two others, as often as there is room. lines: lines that come in, whole ones.
again() {
    local room=$((below - ${#2} - ${#4}))
    { printf '%s' "$2"; endless "$3" | head -c $((room / ${#3} * ${#3})); printf '%s' "$4"; } >full.aivm
    measure "$1" full.aivm 0.5
}
lines() {
    { printf '%s' "$2"; head -c $((below - ${#2} - ${#3} - 1)) | sed '$d'; printf '%s' "$3"; } >full.aivm
    measure "$1" full.aivm 0.5
}

endless '(' | any '100,000 opening brackets' 100000
yes '; x' | any '1,000,000 comment lines' 4000000
any '10 MB of random bytes' 10000000 </dev/urandom
any '100 MB of random bytes' 100000000 </dev/urandom
endless a | any '100 MB of one word' 100000000
head -c 4194304 /dev/urandom >noise.aivmc
measure 'a 4 MB random module' noise.aivmc 2
head -c 100000000 /dev/urandom >noise.aivmc
measure 'a 100 MB random module' noise.aivmc 2
head -c 10000000 /dev/urandom >noise.asm
measure '10 MB of random assembly' noise.asm 2 asm
yes 'jump L' | head -c 4000000 >noise.asm
measure '4 MB of jumps to nowhere' noise.asm 2 asm
numbered 'L@: raw 0x0' | head -c 4000000 >noise.asm
measure '4 MB of words that are no instruction' noise.asm 2 asm
{ printf 'function out\n'; numbered 'stage s@ switch'; } | head -c 4000000 >noise.asm
measure '4 MB of stages' noise.asm 2 asm

for text in '(' ')' '[' ']' '<' '>' '{' '}' '([' '(<[' '()' '(]' 'switch<=(' 'out<=(' ' ' '"' "'" '/*' '//' '#' '`' '-' '=' '&' '|' '$' 9 '~' '*' '.' , a; do
    endless "$text" | full "\`$text\` again and again"
done
endless $'\x7f\xc3\xa9' | head -c 1048573 | full 'strange characters'
endless $'\xef\xbb\xbf' | head -c 1048575 | full 'byte order marks'
endless $'\xe2\x80\x9c' | head -c 1048575 | full 'smart quotes'
for line in '; x' '' '# x' 'a -> b' '<<<<<<< HEAD' a '+++'; do
    yes "$line" | full "lines \`$line\`"
done
full 'random bytes' </dev/urandom
full zeros </dev/zero
tr -dc '\n -~' </dev/urandom | full 'random letters'
tr -dc 'a-c()<=>[]|.,~*$0-9; \n' </dev/urandom | full 'random signs of the language'
numbered 'w@' | full 'different words'

in_switch='out<=(switch[s]<=('
end='))<=in'
again 'steps without end' "$in_switch" 'a=>next ' "$end"
again 'outcomes without end' "${in_switch}a=>" 'next|' "next$end"
again 'references without end' "${in_switch}[a<=" 'in,' "in]=>send$end"
again 'limits without end' "${in_switch}a<" '5,' "5>=>send$end"
again 'arms without end' 'out<=(match<=(' 'x=>cancel ' 'x=>sned))<=in'
again 'elements of a join' 'out<=(join<=(' 'a=>send ' "$end"
again 'stages in a switch' "$in_switch" 'out<=switch<=(a=>send) ' "$end"
again 'stages in a chain' 'out<=(' 'switch<=(a=>send)<=' 'switch<=(a=>send))<=in'
again 'matches that catch' 'out<=(' 'switch<=(a=>send)<=match<=(default=>cancel)<=' 'switch<=(a=>send))<=in'
again 'one definition again and again' '' 'x<=() ' 'out<=()<=in'
again 'a label again and again' 'out<=(' 'switch[s]<=(a=>send)<=' 'switch<=(a=>send))<=in'
again 'deep and wide' "$in_switch" "$(printf 'out<=switch<=(%.0s' {1..60})a=>send$(printf ')%.0s' {1..60}) " "$end"
numbered 'w@=>nxet' | lines 'misspelt outcomes' "$in_switch" "$end"
numbered 'w@=>send' | lines 'steps that nothing has' "$in_switch" "$end"
numbered 'a=>[w@.jump]' | lines 'jumps to labels that are not there' "$in_switch" "$end"
numbered 'a=>[s.w@.jump]' | lines 'jumps to steps that are not there' "$in_switch" "$end"
numbered 'switch[l@]<=(a=>[k@.jump])<=' | lines 'labels, and jumps to others' 'out<=(' 'switch<=(a=>send))<=in'
numbered '[a<=s.w@.out]=>send' | lines 'references to what is not there' "$in_switch" "$end"
numbered 'd@<=(switch<=(d1=>send))' | lines 'definitions that call one, which calls itself' '' 'out<=()<=in'
seq 1000000 | awk '{ print "d" $1 "<=(switch<=(d" $1 + 1 "=>send))" }' | lines 'definitions in a row' '' 'out<=()<=in'
numbered 'd@<=(switch<=(d@=>send))' | lines 'definitions that call themselves' '' 'out<=()<=in'
{ head -c 300000 < <(endless 'a=>send '); echo ')<=match<=('; numbered 'w@=>send'; } |
    lines 'every step may answer every word' $'+++\n[worker.a]\nmock=[]\n+++\n'"$in_switch" "$end"

fence=$'+++\n'
for text in '[' '[[' a. '{a=' '"' "a=''''''" 'a=[[' 'a={'; do
    again "\`$text\` in the front matter" "$fence" "$text" $'\n+++\nout<=()<=in'
done
again 'arrays in a worker' "$fence[worker.a]"$'\nmock=' '[' $'\n+++\nout<=()<=in'
for text in '[worker.w@]\nmockk=[]' '[worker."@ "]\nmock=[]' '[stage.w@]\nchooser="a"' 'k@=1'; do
    numbered "$text" | lines "\`${text//\\n/ }\` in the front matter" "$fence" $'+++\nout<=()<=in'
done
numbered '[worker.w@]\nmock=[]' | lines 'workers that are not called' "$fence" $'+++\nout<=(switch<=(x=>send))<=in'

missed=$(grep -vc '^ok$' verdicts) || true
printf '\n%d families, %d missed\n' "$(wc -l <verdicts)" "$missed"
[ "$missed" = 0 ]
