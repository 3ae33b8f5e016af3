//! The counts of docs/reliability.md come from what the checks counted: they leave it in `crashes.json`, `torture.json` and
//! `exports.json` in the target folder. `AIVM_BLESS=1` writes the table anew; without it the page must have one, of everything that is counted.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use serde_json::Value;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- counts -->\n";
const END: &str = "<!-- /counts -->";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reliability.md")
}

/// The target folder that this test was built into.
fn target() -> PathBuf {
    let own = std::env::current_exe().expect("this test");
    own.ancestors().nth(3).expect("a target folder").to_owned()
}

/// What a part does, for readers.
fn about(part: &str) -> &str {
    match part {
        "generated" => {
            "simulated: generated programs, up to four crashes a run (killed, power lost, disk full, flush failed, taken over)"
        }
        "small scope" => "simulated: every program of at most three steps, a crash at every operation",
        "host" => "simulated: the same through the host's own driver and recovery, of a smaller number",
        "host, same seed twice" => "simulated: the same seed twice gives the same trace, through the host's own",
        "same seed twice" => "simulated: the same seed twice gives the same trace",
        "killed" => "the program killed at its writes, flushes, renames and starts of commands, and its recovery again",
        "faults" => "the N-th call of the system on a file fails or is short, once and for ever",
        "starts" => "the N-th call of the system that starts a command, or goes past libc, fails, once and for ever",
        "service" => "a counter with a ledger that it does not know of, killed at random",
        "flips" => "bits flipped in a store: the same as before, or refused",
        "full" => "a disk that fills up",
        "parked" => "runs that wait, all resumed",
        other => other,
    }
}

/// One row a part: what it does, and everything that it counted.
fn table() -> Option<String> {
    let mut rows = String::from("| check | counted |\n| --- | --- |\n");
    for file in ["crashes.json", "torture.json", "exports.json"] {
        let text = std::fs::read_to_string(target().join(file)).ok()?;
        for line in text.lines() {
            let part: Value = serde_json::from_str(line).ok()?;
            let part = part.as_object()?;
            let name = part.get("part")?.as_str()?;
            let counted = |(key, value): (&String, &Value)| {
                let number = value.as_u64().filter(|_| key != "part" && key != "v" && key != "seconds")?;
                Some(format!("{} {}", grouped(number), key.replace('_', " ")))
            };
            let counts: Vec<String> = part.iter().filter_map(counted).collect();
            rows.push_str(&format!("| {} | {} |\n", about(name), counts.join(", ")));
        }
    }
    Some(rows)
}

/// `2,000,000`
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let grouped = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned());
    grouped.collect::<Vec<_>>().join(",")
}

#[test]
fn the_page_tells_what_was_counted() {
    let text = std::fs::read_to_string(page()).expect("the page");
    let (before, rest) = text.split_once(BEGIN).expect("a beginning");
    let (table_now, after) = rest.split_once(END).expect("an end");
    if std::env::var_os("AIVM_BLESS").is_some()
        && let Some(table) = table()
    {
        std::fs::write(page(), format!("{before}{BEGIN}{table}{END}{after}")).expect("the page");
        return;
    }
    for word in ["simulated", "killed", "flipped"] {
        assert!(table_now.contains(word), "nothing is told of: {word}; AIVM_BLESS=1 cargo test --test reliability");
    }
}
