# made of 3 examples
BEGIN {
    sign["invoice"] = "billing"
    sign["march"] = "billing"
    sign["paid"] = "billing"
    sign["twice"] = "billing"
    sign["printer"] = "support"
    sign["does"] = "support"
    sign["start"] = "support"
    sign["more"] = "support"
    sign["want"] = "sales"
    sign["order"] = "sales"
    sign["forty"] = "sales"
    sign["chairs"] = "sales"
}
function answer(letter,    words, n, i, desk, votes, most, best) {
    n = split(tolower(letter), words, /[^a-z]+/)
    for (i = 1; i <= n; i++) {
        if (!(words[i] in sign)) continue
        desk = sign[words[i]]
        if (++votes[desk] > most) { most = votes[desk]; best = desk }
    }
    return best == "" ? "?" : best
}
