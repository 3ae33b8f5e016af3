//! Words that other languages have where this one has another, and that models make up: what is meant by them.

/// Words for a kind of stage.
const KINDS: [(&str, &[&str]); 4] = [
    ("switch", &["sequence", "seq", "serial", "steps", "pipeline", "chain", "flow", "do", "stage"]),
    ("select", &["choose", "choice", "pick", "route", "router", "agent", "any"]),
    ("join", &["parallel", "concurrent", "concurrently", "fork", "all", "gather", "async", "race", "fanout"]),
    ("match", &["case", "if", "when", "cond", "catch", "on", "branch", "decide"]),
];

/// Words for what a way back does here.
const LOOPS: [&str; 6] = ["loop", "while", "repeat", "for", "foreach", "until"];

/// Words for an outcome.
const OUTCOMES: [(&str, &[&str]); 7] = [
    ("next", &["then", "proceed", "forward", "pass", "go", "advance", "ok", "success", "down"]),
    ("continue", &["skip", "ignore", "keep"]),
    ("send", &["return", "done", "finish", "end", "exit", "output", "emit", "complete", "yield", "out"]),
    ("back", &["previous", "prev", "up", "return_to", "goback", "revise"]),
    ("retry", &["again", "redo", "repeat", "rerun"]),
    ("cancel", &["abort", "stop", "fail", "failure", "error", "reject", "halt", "throw", "raise", "break", "quit"]),
    ("timeout", &["expire", "expired", "timed_out"]),
];

fn meant(of: &[(&'static str, &[&str])], text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let fits = |(word, invented): &&(&str, &[&str])| *word == text || invented.contains(&text.as_str());
    of.iter().find(fits).map(|(word, _)| *word)
}

/// The kind of stage that is meant by a word, also in capitals.
pub(super) fn kind(text: &str) -> Option<&'static str> {
    meant(&KINDS, text)
}

/// Does a word of elsewhere say that something is done again, also in capitals?
pub(super) fn is_loop(text: &str) -> bool {
    LOOPS.contains(&text.to_ascii_lowercase().as_str())
}

/// The outcome that is meant by a word, also in capitals.
pub(super) fn outcome(text: &str) -> Option<&'static str> {
    meant(&OUTCOMES, text)
}
