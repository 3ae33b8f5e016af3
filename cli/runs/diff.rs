//! `diff`: where two runs part. Calls are the same when their keys and attempts are; values when their content is.

use crate::args::{DiffArgs, Global};
use crate::fail::{self, Exit, Failure};
use crate::out::one_line;
use crate::out::short;
use crate::out::{paint, plain};
use crate::run::readable_parts;
use crate::runs::journal::{self, Told};
use crate::runs::show::ending;
use crate::store;
use aivm_host::parts;
use aivm_host::store::Store;
use aivm_host::store::disk::Kept;
use aivm_host::trace::{StepRecord, totals_text};
use aivm_schema::artifact::{Artifact, Checksum, parts::MEDIA_TYPE};
use aivm_schema::unit::{Money, Tokens};
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};
use std::borrow::Cow;
use std::collections::HashMap;

/// So many lines of a difference are shown, and equal ones around each.
const MOST_LINES: usize = 12;
const AROUND: usize = 1;
/// Larger texts are only said to differ.
const LARGEST_TEXT: usize = 64 << 10;
/// Parts within parts are looked into so deeply.
const DEEPEST: usize = 16;

/// `aivm diff RUN RUN`.
pub fn diff(global: &Global, args: &DiffArgs) -> Result<Exit, Failure> {
    let disk = store::existing()?;
    let (one, other) = (journal::tell(&disk, &args.run)?, journal::tell(&disk, &args.other)?);
    // What the parts of values are read from.
    let kept = disk.keep();
    let compared = Compared::of(&kept, &one, &other);
    let equal = compared.is_equal();
    if global.json {
        println!("{}", compared.json(&one, &other, equal));
    } else {
        print!("{}", compared.text(&kept, [&one, &other], fail::colours(&std::io::stdout())));
    }
    Ok(if equal { Exit::SENT } else { Exit::FAILED })
}

/// What differs between two calls, or two runs.
struct Difference {
    what: &'static str,
    /// In one and the other.
    was: [Option<String>; 2],
    /// Two values whose content can be compared.
    values: Option<[Checksum; 2]>,
}

impl Difference {
    fn json(&self) -> Value {
        json!({"what": self.what, "one": self.was[0], "other": self.was[1]})
    }

    /// Is it no longer the same path, or only what flows along it and what that took?
    fn parts_ways(&self) -> bool {
        matches!(self.what, "outcome" | "word" | "called" | "status")
    }
}

struct Step<'a> {
    key: &'a str,
    attempt: u32,
    differences: Vec<Difference>,
}

struct Compared<'a> {
    /// Program, input.
    before: Vec<Difference>,
    /// Calls that differ, the first first.
    steps: Vec<Step<'a>>,
    /// Status, output, error.
    after: Vec<Difference>,
    same: usize,
}

impl<'a> Compared<'a> {
    fn of(kept: &Kept, one: &'a Told, other: &'a Told) -> Compared<'a> {
        let mut before = Vec::new();
        let digest = |told: &Told| Some(short(told.module().digest()));
        differ(&mut before, "program", [digest(one), digest(other)]);
        values(&mut before, kept, "input", [Some(one.started.input), Some(other.started.input)]);
        let mut after = Vec::new();
        let status = |told: &Told| Some(told.row.status.clone());
        differ(&mut after, "status", [status(one), status(other)]);
        let output = |told: &Told| ending(told).0.map(Artifact::checksum);
        values(&mut after, kept, "output", [output(one), output(other)]);
        let word = |told: &Told| ending(told).1.map(str::to_owned);
        differ(&mut after, "word", [word(one), word(other)]);
        let error = |told: &Told| ending(told).2.map(|error| format!("[{}] {}", error.code, error.message));
        differ(&mut after, "error", [error(one), error(other)]);
        let (steps, same) = steps(kept, one, other);
        Compared { before, steps, after, same }
    }

    /// Equal in path and output?
    fn is_equal(&self) -> bool {
        let on_the_way = self.steps.iter().flat_map(|step| &step.differences).any(Difference::parts_ways);
        !on_the_way && self.after.is_empty()
    }

    fn json(&self, one: &Told, other: &Told, equal: bool) -> Value {
        let list = |list: &[Difference]| list.iter().map(Difference::json).collect::<Vec<_>>();
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| json!({"key": step.key, "attempt": step.attempt, "differences": list(&step.differences)}))
            .collect();
        json!({
            "v": 1,
            "one": one.row.id,
            "other": other.row.id,
            "equal": equal,
            "same_steps": self.same,
            "before": list(&self.before),
            "steps": steps,
            "after": list(&self.after),
        })
    }

    fn text(&self, kept: &Kept, runs: [&Told; 2], colours: bool) -> String {
        let mut out = String::new();
        for (sign, colour, told) in [("-", "31", runs[0]), ("+", "32", runs[1])] {
            let name = format!("{sign} {}  {:<9}", told.row.id, told.row.status);
            let (program, totals) = (one_line(&told.row.program), totals_text(&told.totals));
            out.push_str(&format!("{}  {program} · {totals}\n", paint(colours, colour, &name)));
        }
        for difference in &self.before {
            out.push('\n');
            out.push_str(&shown(kept, difference, "", colours));
        }
        let mut alone = false;
        for Step { key, attempt, differences } in &self.steps {
            let again = if *attempt > 1 { format!(" attempt {attempt}") } else { String::new() };
            let name = format!("{}{again}", one_line(key));
            let was_alone = std::mem::replace(&mut alone, true);
            let (sign, colour, led) = match differences.as_slice() {
                [Difference { what: "called", was: [Some(led), None], .. }] => ("-", "31", led),
                [Difference { what: "called", was: [None, Some(led)], .. }] => ("+", "32", led),
                _ => {
                    out.push_str(&format!("\n{}\n", paint(colours, "1", &name)));
                    out.extend(differences.iter().map(|difference| shown(kept, difference, "  ", colours)));
                    alone = false;
                    continue;
                }
            };
            let line = paint(colours, colour, &format!("{sign} {name} → {}", one_line(led)));
            out.push_str(&format!("{}{line}\n", if was_alone { "" } else { "\n" }));
        }
        for difference in &self.after {
            out.push('\n');
            // The last call has shown it, mostly.
            let known = |other: &Difference| match (&difference.values, &other.values) {
                (Some(one), Some(other)) => same_pair(kept, *one, *other),
                _ => false,
            };
            let seen = self.steps.iter().flat_map(|step| &step.differences).any(known);
            let brief =
                Difference { values: difference.values.filter(|_| !seen), was: difference.was.clone(), ..*difference };
            out.push_str(&shown(kept, &brief, "", colours));
        }
        let calls = |count: usize| format!("{count} step{}", if count == 1 { "" } else { "s" });
        let last = match (self.is_equal(), self.steps.len()) {
            (true, 0) => format!("equal: {} alike", calls(self.same)),
            (true, some) => format!("equal in path and output; {} differ in what they returned or took", calls(some)),
            (false, some) => format!("{} differ, {} alike", calls(some), calls(self.same)),
        };
        out.push_str(&format!("\n{last}\n"));
        out
    }
}

fn differ(list: &mut Vec<Difference>, what: &'static str, was: [Option<String>; 2]) {
    if was[0] != was[1] {
        list.push(Difference { what, was, values: None });
    }
}

/// Two values: they differ when their content does.
fn values(list: &mut Vec<Difference>, kept: &Kept, what: &'static str, [one, other]: [Option<Checksum>; 2]) {
    let equal = match (one, other) {
        (Some(one), Some(other)) => is_same(kept, one, other, 0),
        (one, other) => one == other,
    };
    if !equal {
        let values = one.zip(other).map(|(one, other)| [one, other]);
        list.push(Difference { what, was: [one.map(short), other.map(short)], values });
    }
}

/// Is the content the same? Of several values: of each.
fn is_same(kept: &Kept, one: Checksum, other: Checksum, depth: usize) -> bool {
    if one == other {
        return true;
    }
    let (Some(one), Some(other)) = (kept.get(one), kept.get(other)) else { return false };
    if one.media_type() != MEDIA_TYPE || other.media_type() != MEDIA_TYPE || depth == DEEPEST {
        return one.content_digest() == other.content_digest();
    }
    let (Ok(ones), Ok(others)) = (parts::named(&one, kept), parts::named(&other, kept)) else { return false };
    ones.len() == others.len()
        && ones.iter().zip(&others).all(|((name, word, value), (other_name, other_word, other_value))| {
            (name, word) == (other_name, other_word)
                && is_same(kept, value.checksum(), other_value.checksum(), depth + 1)
        })
}

fn same_pair(kept: &Kept, [a, b]: [Checksum; 2], [c, d]: [Checksum; 2]) -> bool {
    is_same(kept, a, c, 0) && is_same(kept, b, d, 0)
}

/// The calls that differ, in the order in which they are met, and how many do not.
fn steps<'a>(kept: &Kept, one: &'a Told, other: &'a Told) -> (Vec<Step<'a>>, usize) {
    fn name(record: &StepRecord) -> (&str, u32) {
        (&record.key, record.attempt)
    }
    let records = |told: &'a Told| told.rows.iter().map(|row| &row.record);
    let of_other: HashMap<_, _> = records(other).map(|record| (name(record), record)).collect();
    let of_one: HashMap<_, _> = records(one).zip(1usize..).map(|(record, at)| (name(record), at)).collect();
    // What only the other has stands behind what comes before it in both; at the end where they have nothing in common.
    let mut ordered: Vec<(usize, &StepRecord, bool)> =
        records(one).zip(1usize..).map(|(record, at)| (at, record, true)).collect();
    let common = records(other).any(|record| of_one.contains_key(&name(record)));
    let mut last = if common { 0 } else { usize::MAX };
    for record in records(other) {
        match of_one.get(&name(record)) {
            Some(at) => last = last.max(*at),
            None => ordered.push((last, record, false)),
        }
    }
    ordered.sort_by_key(|(at, _, own)| (*at, !own));
    let (mut list, mut same) = (Vec::new(), 0);
    for (_, record, own) in ordered {
        let (key, attempt) = name(record);
        let differences = match (own, of_other.get(&(key, attempt))) {
            (true, Some(there)) => compare(kept, record, there),
            (own, _) => {
                let led = Some(record.outcome.clone());
                let was = if own { [led, None] } else { [None, led] };
                vec![Difference { what: "called", was, values: None }]
            }
        };
        match differences.is_empty() {
            true => same += 1,
            false => list.push(Step { key, attempt, differences }),
        }
    }
    (list, same)
}

fn compare(kept: &Kept, one: &StepRecord, other: &StepRecord) -> Vec<Difference> {
    let mut list = Vec::new();
    differ(&mut list, "outcome", [&one, &other].map(|record| Some(record.outcome.clone())));
    differ(&mut list, "word", [&one, &other].map(|record| record.verdict.clone()));
    differ(&mut list, "error", [&one, &other].map(|record| record.error.as_ref().map(|error| error.message.clone())));
    values(&mut list, kept, "artifact", [one.artifact, other.artifact]);
    let tokens = |record: &StepRecord| (record.tokens > 0).then(|| Tokens(record.tokens).to_string());
    differ(&mut list, "tokens", [tokens(one), tokens(other)]);
    let money = |record: &StepRecord| (record.cost_usd * 1e6).round() as u64;
    let cost =
        |record: &StepRecord| Some(money(record)).filter(|money| *money > 0).map(|money| Money(money).to_string());
    differ(&mut list, "cost", [cost(one), cost(other)]);
    list
}

/// A difference for people: both sides in a line, or two texts line by line.
fn shown(kept: &Kept, difference: &Difference, indent: &str, colours: bool) -> String {
    let name = paint(colours, "2", &format!("{:<10}", difference.what));
    let [one, other] = &difference.was;
    let side = |was: &Option<String>, colour: &str| match was {
        Some(text) => paint(colours, colour, &one_line(text)),
        None => paint(colours, "2", "nothing"),
    };
    let sides = format!("{} | {}", side(one, "31"), side(other, "32"));
    let mut out = format!("{indent}{name}{sides}\n");
    let Some([one, other]) = difference.values.map(|values| values.map(|checksum| kept.get(checksum))) else {
        return out;
    };
    let (Some(one), Some(other)) = (one, other) else { return out };
    let (Some(old), Some(new)) = (text(kept, &one), text(kept, &other)) else { return out };
    for (tag, line) in lines(&old, &new, AROUND, MOST_LINES) {
        out.push_str(&format!("{indent}  {}\n", line_text(tag, &line, colours)));
    }
    out
}

/// A line of a difference, for people.
pub fn line_text(tag: Option<ChangeTag>, line: &str, colours: bool) -> String {
    let (sign, colour) = match tag {
        Some(ChangeTag::Delete) => ("-", "31"),
        Some(ChangeTag::Insert) => ("+", "32"),
        Some(ChangeTag::Equal) => (" ", ""),
        None => ("…", "2"),
    };
    let line = format!("{sign} {}", plain(line.trim_end_matches('\n')));
    let line = if colour.is_empty() { line } else { paint(colours, colour, &line) };
    line.trim_end().to_owned()
}

/// What can be compared line by line.
fn text<'a>(kept: &Kept, artifact: &'a Artifact) -> Option<Cow<'a, str>> {
    let bytes = match artifact.media_type() {
        MEDIA_TYPE => Cow::Owned(readable_parts(artifact, kept)?),
        _ => Cow::Borrowed(artifact.payload()),
    };
    if bytes.len() > LARGEST_TEXT {
        return None;
    }
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// The first lines of a difference, with equal ones around each; no tag: so many are left out.
pub fn lines(old: &str, new: &str, around: usize, most: usize) -> Vec<(Option<ChangeTag>, String)> {
    let diff = TextDiff::from_lines(old, new);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(around) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            lines.push((Some(change.tag()), change.value().to_owned()));
        }
    }
    let over = lines.len().saturating_sub(most);
    if over > 1 {
        lines.truncate(most);
        lines.push((None, format!("{over} more lines")));
    }
    lines
}
