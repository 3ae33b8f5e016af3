//! What workers answer: decided by the number of the program and the key of the call, so that both sides hear the same.

use crate::dice::Dice;
use aivm_lang::eval::{Answer, Call, Part, Report, Value};
use aivm_schema::module::EndKind;

/// Times are spread so widely that two sums of them are hardly ever the same.
pub const SPAN: u64 = 1 << 36;

/// The answers of one run.
pub struct Script {
    seed: u64,
    /// Of a hundred: calls that fail, and calls that say a word.
    failing: usize,
    saying: usize,
    /// Do loops go on until their counts are used up?
    tireless: bool,
}

impl Script {
    pub fn new(number: u64) -> Script {
        let mut dice = Dice::new(number ^ 0x5c1);
        let failing = *dice.pick(&[1, 5, 15]);
        let saying = *dice.pick(&[20, 50, 80]);
        Script { seed: dice.next(), failing, saying, tireless: false }
    }

    /// As `new`, with answers that keep a run going: the larger `how`, the more of them fail or say a word.
    pub fn tireless(number: u64, how: u64) -> Script {
        let script = Script::new(number);
        let (failing, saying) = [(1, 20), (5, 80), (30, 80), (60, 90)][(how % 4) as usize];
        Script { failing, saying, tireless: true, ..script }
    }

    pub fn answer(&self, call: &Call) -> Answer {
        let mut hash = self.seed;
        for byte in call.key.bytes().chain([call.attempt as u8]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut dice = Dice::new(hash);
        let undoer = call.key.ends_with("~undo");
        let chooser = call.words.contains(&"finish");
        let after_ms = 1 | (dice.next() % SPAN);
        let stops_ms = dice.chance(50).then(|| 1 | (dice.next() % (SPAN / 4)));
        let output = match dice.below(10) {
            0..6 => Value::text(&format!("o{:x}", dice.next() % 0xfff)),
            6..8 => {
                let part = |at: usize| {
                    let value = Value::text(&format!("p{:x}", dice.next() % 0xfff));
                    Part { name: (at + 1).to_string(), value, verdict: None }
                };
                Value::parts((0..hash as usize % 4).map(part).collect())
            }
            _ => call.input.clone(),
        };
        // Loops end sooner than their counts.
        let late = call.key.rsplit_once('#').is_some_and(|(_, n)| n.parse::<u32>().is_ok_and(|n| n > 4));
        let verdict = match dice.below(100) {
            _ if undoer || call.words.is_empty() || late && !chooser && !self.tireless => None,
            0..2 => Some("nonsense".to_owned()),
            n if n < self.saying || chooser && n < 90 => {
                // Mostly on, or every run would be short.
                let on = ["next", "send", "continue", "back"].iter().find(|word| call.words.contains(word));
                let on = on.filter(|_| !chooser && !self.tireless && dice.chance(40));
                Some((*on.unwrap_or(dice.pick(&call.words))).to_owned())
            }
            _ => None,
        };
        let fails = dice.chance(if undoer { 30 } else { self.failing });
        let kind = if dice.chance(30) { EndKind::Timeout } else { EndKind::Failure };
        let result = if fails { Err((kind, "E0900".to_owned())) } else { Ok((output, verdict)) };
        let money = if undoer { 0 } else { dice.next() % 300_000 };
        let tokens = if undoer { 0 } else { dice.next() % 1_500 };
        Answer { after_ms, stops_ms, result, money, tokens }
    }
}

/// One entry of the log, as both sides tell it.
#[allow(clippy::too_many_arguments)]
pub fn line(
    at: u64,
    key: &str,
    attempt: u32,
    called: Option<(String, String)>,
    came: &str,
    taken: &str,
    passed_over: &[String],
) -> (u64, String) {
    let called = called.map_or(String::new(), |(input, words)| format!(" with {input}, may say {words}"));
    let passed = if passed_over.is_empty() { String::new() } else { format!(", not {}", passed_over.join(", ")) };
    (at, format!("{at:>12} {key} ({attempt}){called}: {came} -> {taken}{passed}"))
}

/// The lines in order of their times; how the run ended is the last.
pub fn sorted(mut lines: Vec<(u64, String)>, end: String) -> Vec<String> {
    lines.sort();
    lines.into_iter().map(|(_, line)| line).chain([end]).collect()
}

/// Value and verdict, or kind and code.
pub type Ending = Result<(String, Option<String>), (EndKind, Option<String>)>;

pub fn ending(result: &Ending, not_undone: &mut [String]) -> String {
    not_undone.sort();
    let undone = if not_undone.is_empty() { String::new() } else { format!("; not undone: {}", not_undone.join(", ")) };
    match result {
        Ok((value, None)) => format!("sent {value}{undone}"),
        Ok((value, Some(verdict))) => format!("sent {value} ({verdict}){undone}"),
        Err((kind, None)) => format!("{kind:?}{undone}"),
        Err((kind, Some(code))) => format!("{kind:?} {code}{undone}"),
    }
}

/// What the evaluator says.
pub fn transcript(report: &Report) -> Vec<String> {
    let lines = report.ended.iter().map(|e| {
        let called = e.called.as_ref().map(|(input, words)| (input.to_string(), words.join(" ")));
        line(e.at, &e.key, e.attempt, called, &e.came, &e.taken, &e.passed_over)
    });
    let result = match &report.result {
        Ok((value, verdict)) => Ok((value.to_string(), verdict.clone())),
        Err(ending) => Err(ending.clone()),
    };
    sorted(lines.collect(), ending(&result, &mut report.not_undone.clone()))
}
