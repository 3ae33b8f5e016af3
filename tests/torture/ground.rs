//! What all parts stand on: how much is tried, dice, all cores, and counting.

use super::dice::Dice;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Within `cargo test`.
    Short,
    /// Within a CI run.
    Ci,
    /// By hand.
    Long,
}

impl Form {
    pub fn of_environment() -> Form {
        match std::env::var("AIVM_TORTURE").as_deref() {
            Err(_) | Ok("") => Form::Short,
            Ok("1") => Form::Ci,
            Ok("long") => Form::Long,
            Ok(other) => panic!("AIVM_TORTURE is 1 or long, not {other}"),
        }
    }

    /// One of three.
    pub fn pick<T>(self, short: T, ci: T, long: T) -> T {
        match self {
            Form::Short => short,
            Form::Ci => ci,
            Form::Long => long,
        }
    }
}

/// Dice of a seed, and of the number that all begin with.
pub fn dice(seed: u64) -> Dice {
    let from = std::env::var("AIVM_TORTURE_FROM").ok().map_or(0, |text| text.parse::<u64>().expect("a number"));
    Dice::new(seed ^ from.wrapping_mul(0x2545_f491_4f6c_dd1d))
}

/// How often what happened.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub fn add(&mut self, what: &str, times: u64) {
        *self.0.entry(what.to_owned()).or_default() += times;
    }

    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    pub fn take_in(&mut self, other: Tally) {
        for (what, times) in other.0 {
            self.add(&what, times);
        }
    }

    /// One line of JSON.
    fn line(&self, part: &str, form: Form) -> String {
        let mut line = format!("{{\"part\":\"{part}\",\"form\":\"{}\"", form.pick("short", "ci", "long"));
        for (what, times) in &self.0 {
            let _ = write!(line, ",\"{what}\":{times}");
        }
        line + "}"
    }
}

/// Tries everything on all cores; each try says what it counted, or what is wrong.
pub fn try_all<T: Sync>(tries: &[T], one: impl Fn(&T) -> Result<Tally, String> + Sync) -> (Tally, Vec<String>) {
    try_all_at_once(1, tries, one)
}

/// So many on each core at once: of tries that mostly wait.
pub fn try_all_at_once<T: Sync>(
    each_core: usize,
    tries: &[T],
    one: impl Fn(&T) -> Result<Tally, String> + Sync,
) -> (Tally, Vec<String>) {
    let cores = each_core * std::thread::available_parallelism().map_or(2, usize::from);
    let (next, found) = (AtomicUsize::new(0), Mutex::new((Tally::default(), Vec::new())));
    std::thread::scope(|scope| {
        for _ in 0..cores.min(tries.len()) {
            scope.spawn(|| {
                while let Some(this) = tries.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let came = one(this);
                    let mut found = found.lock().expect("no try panics");
                    match came {
                        Ok(tally) => found.0.take_in(tally),
                        Err(wrong) => found.1.push(wrong),
                    }
                }
            });
        }
    });
    found.into_inner().expect("no try panics")
}

/// The end of a part: what was counted is shown and kept; what is wrong fails it, and so does having tried too little.
pub fn end(part: &str, tally: &Tally, wrong: &[String], least: &[(&str, u64)]) {
    let form = Form::of_environment();
    let line = tally.line(part, form);
    println!("{line}");
    if form > Form::Short {
        keep(part, &line);
    }
    let shown = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n\n");
    assert!(wrong.is_empty(), "{} violations, the first of them:\n\n{shown}", wrong.len());
    for (what, least) in least {
        assert!(
            tally.of(what) >= *least,
            "{part} is vacuous: {} of {what}, and at least {least} must be",
            tally.of(what)
        );
    }
}

/// Into `torture.json`, in place of the part's line of the last time.
fn keep(part: &str, line: &str) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder");
    let path = target.join("torture.json");
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    let own = format!("{{\"part\":\"{part}\"");
    let mut lines: Vec<&str> = before.lines().filter(|line| !line.starts_with(&own)).collect();
    lines.push(line);
    std::fs::write(&path, lines.join("\n") + "\n").expect("the target folder can be written");
}
