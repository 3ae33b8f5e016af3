//! The playground while somebody writes on its page: programs that are edited at random are looked at, drawn, and run with made-up input
//! and mocks; one request in eight is edited itself. Each is answered as its page reads it, and each run ends within its limits.
//!
//! `AIVM_ASKED` says how many requests (120 unless set), `AIVM_ASKED_FROM` the number of the first session.

use super::*;

#[path = "../../common/dice.rs"]
mod dice;
#[path = "../../edits/typist.rs"]
mod typist;

use dice::Dice;
use typist::Typist;

/// So many requests are one session, of one text.
const SESSION: usize = 12;
/// What a run of the playground calls at most: `docs/playground.md`.
const MOST_CALLS: u64 = 1_000;

fn number(variable: &str, unless: usize) -> usize {
    std::env::var(variable).ok().map_or(unless, |text| text.replace('_', "").parse().expect("a number"))
}

/// The programs of the examples.
fn programs() -> Vec<String> {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut folders: Vec<_> =
        std::fs::read_dir(examples).expect("examples").flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders.iter().filter_map(|folder| std::fs::read_to_string(folder.join("pipeline.aivm")).ok()).collect()
}

/// Some word of a text: a worker, a label, an outcome, or none of them.
fn word(dice: &mut Dice, text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    dice.pick::<&str>(&words).to_string()
}

/// What is asked next, and of which endpoint.
fn question(dice: &mut Dice, program: &str) -> (&'static str, Value) {
    let place = dice.below(program.len() + 20);
    let mut mocks = serde_json::Map::new();
    for _ in 0..dice.below(4) {
        let answers =
            [json!([]), json!(["back", {"output": "done"}]), json!(["next"]), json!({"output": "a\nb"}), json!(7)];
        mocks.insert(word(dice, program), dice.pick(&answers).clone());
    }
    let calls: Vec<Value> = (0..dice.below(5))
        .map(|_| json!([format!("switch.1/{}#1", word(dice, program)), word(dice, program)]))
        .collect();
    let kinds = ["text/plain", "application/json", "text/csv", "image/png", "no type"];
    let input = program.repeat(dice.below(3));
    match dice.below(8) {
        0 => ("/api/complete", json!({"program": program, "at": place})),
        1 => ("/api/hover", json!({"program": program, "at": place})),
        2 => ("/api/graph", json!({"program": program, "calls": calls, "dark": dice.chance(50)})),
        3 => ("/api/format", json!({"program": program})),
        4 => ("/api/look", json!({"program": program})),
        _ => ("/api/run", json!({"program": program, "input": input, "type": dice.pick(&kinds), "mocks": mocks})),
    }
}

/// Is an answer one that the page reads?
fn is_read(path: &str, (status, body): &(u16, String)) -> Result<bool, String> {
    let value = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| format!("{error}: {text}"));
    match status {
        200 if path == "/api/run" => {
            let lines = body.lines().map(value).collect::<Result<Vec<Value>, String>>()?;
            let ended = lines.last().filter(|line| line["type"] == "ended");
            ended.ok_or_else(|| format!("the run does not end: {body}"))?;
            let calls = lines.iter().filter(|line| line["type"] == "call").count() as u64;
            if calls > MOST_CALLS {
                return Err(format!("the run made {calls} calls"));
            }
            Ok(true)
        }
        200 => value(body).map(|_| false),
        400 | 413 | 422 | 429 => {
            let told = value(body)?;
            let code = told["error"]["code"].as_str().unwrap_or_default();
            if code.len() == 5 { Ok(false) } else { Err(format!("no code says why: {body}")) }
        }
        _ => Err(format!("status {status}: {body}")),
    }
}

#[test]
fn whatever_the_page_asks_is_answered() {
    let (asked, from) = (number("AIVM_ASKED", 120), number("AIVM_ASKED_FROM", 0));
    let programs = programs();
    let dir = folder();
    let server = Server::http(dir.path(), &["playground", "--listen", "127.0.0.1:0"]);
    let mut ran = 0;
    for session in from..from + asked.div_ceil(SESSION) {
        let mut dice = Dice::new(session as u64);
        let mut writer = Typist::new(session as u64, &programs);
        for _ in 0..SESSION {
            for _ in 0..dice.below(6) {
                writer.edit();
            }
            let (path, question) = question(&mut dice, &writer.text);
            let mut body = question.to_string();
            if dice.chance(12) {
                let mut editor = Typist::new(dice.next(), &[body]);
                editor.edit();
                body = editor.text;
            }
            let (status, _, answer) = server.ask("POST", path, "", &body);
            match is_read(path, &(status, answer)) {
                Ok(is_run) => ran += usize::from(is_run),
                Err(why) => panic!("session {session}, {path}: {why}\n--- asked\n{body}\n---"),
            }
        }
    }
    assert!(ran > asked / 20, "{ran} runs");
}
