# From examples, `desk TAB letter`, to a program: each word that only letters of one desk have is a sign of that desk.
/^#/ { print; next }
{
    examples++
    n = split(tolower($2), words, /[^a-z]+/)
    for (i = 1; i <= n; i++) {
        word = words[i]
        if (length(word) < 4) continue
        if (!(word in desk)) { order[++known] = word; desk[word] = $1 }
        else if (desk[word] != $1) desk[word] = ""
    }
}
END {
    print "# made of " examples " examples"
    print "BEGIN {"
    for (i = 1; i <= known; i++) if (desk[order[i]] != "") print "    sign[\"" order[i] "\"] = \"" desk[order[i]] "\""
    print "}"
    print "function answer(letter,    words, n, i, desk, votes, most, best) {"
    print "    n = split(tolower(letter), words, /[^a-z]+/)"
    print "    for (i = 1; i <= n; i++) {"
    print "        if (!(words[i] in sign)) continue"
    print "        desk = sign[words[i]]"
    print "        if (++votes[desk] > most) { most = votes[desk]; best = desk }"
    print "    }"
    print "    return best == \"\" ? \"?\" : best"
    print "}"
}
