//! What the words of the language mean, in a sentence each. The language's reference says more; this is what stands beside a cursor.

/// Each word, what it is in a few words, and what it means.
const MEANINGS: [(&str, &str, &str); 19] = [
    (
        "switch",
        "a stage: from step to step",
        "`switch`: a stage that goes from one step to the next, as each step's outcome says.",
    ),
    (
        "select",
        "a stage: a chooser picks",
        "`select`: a stage in which a chooser picks among the steps that are left, until it has finished or none is left.",
    ),
    (
        "join",
        "a stage: all at the same time",
        "`join`: a stage whose elements run at the same time; their outputs become one value of parts, in written order. `join<n>` takes the first n.",
    ),
    (
        "match",
        "a stage: decides by a word",
        "`match`: a stage that calls nobody and takes the first arm whose word holds: the verdict that came with the value, or how the stage above ended.",
    ),
    (
        "out",
        "what a program or stage makes",
        "`out`: as `out <= ( … ) <= in` the program itself; before a nested stage, that its output leaves the stage around; as `label.out` what came out last.",
    ),
    (
        "in",
        "what the program is given",
        "`in`: the input of the program or definition; as `label.in` what went into a stage or step last.",
    ),
    (
        "next",
        "on to the element below",
        "`next`: the output goes to the element below; from the last one it leaves the stage.",
    ),
    (
        "continue",
        "on with this step's input",
        "`continue`: as `next`, but with this step's input: it judged and changed nothing. Its word is carried on.",
    ),
    ("back", "to the element above", "`back`: the output goes to the element above; `back * n`: to the one n above."),
    (
        "retry",
        "call again",
        "`retry`: the worker is called again with the same input, after its backoff; `retry * n`: at most n times.",
    ),
    ("send", "leaves this stage", "`send`: the output leaves the innermost stage."),
    (
        "cancel",
        "ends this stage, cancelled",
        "`cancel`: the stage ends, cancelled; what is concurrent below it stops, what it did is undone, and a `match` above may catch it.",
    ),
    ("timeout", "ends this stage, out of time", "`timeout`: the stage ends as one that ran out of time."),
    (
        "jump",
        "to a labelled stage",
        "`[label.jump]`: the output goes to the stage of this label; `[label.step.jump]`: to a step of it.",
    ),
    (
        "default",
        "whatever else comes",
        "`default`: the arm that is taken when no other is. Beside an arm `success` it also catches what failed.",
    ),
    ("success", "the stage above succeeded", "`success`: holds when the stage above ended in success."),
    (
        "failure",
        "the stage above failed",
        "`failure`: catches a stage above that failed; its effects are undone first, and the arm gets its input with the error.",
    ),
    (
        "exhausted",
        "the stage above ran out of tries",
        "`exhausted`: catches a stage above in which nothing was left that could be taken.",
    ),
    ("done", "the last round", "`done`: holds in the last entry that the limit of the stage around allows."),
];

fn find(word: &str) -> Option<&'static (&'static str, &'static str, &'static str)> {
    MEANINGS.iter().find(|(known, ..)| *known == word)
}

/// What a word of the language means; none: it is no word of the language.
pub fn meaning(word: &str) -> Option<&'static str> {
    find(word).map(|(_, _, meaning)| *meaning)
}

/// The same in a few words; empty for another word.
pub(super) fn brief(word: &str) -> &'static str {
    find(word).map_or("", |(_, brief, _)| brief)
}
