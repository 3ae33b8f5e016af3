//! What is told of tests: a line each, why one failed, what no test takes; or one JSON object; and a report in JUnit's XML.

use super::Coverage;
use super::file::Suite;
use super::trial::Trial;
use crate::args::TestArgs;
use crate::fail::colours;
use crate::out::{paint, plain};
use aivm_host::secret;
use aivm_host::trace::time_text;
use aivm_lang::draw::Edge;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// So many steps of a run that failed are shown.
const MOST_STEPS: usize = 40;

/// Tells tests as they end.
pub struct Shown<'s> {
    json: bool,
    colours: bool,
    suites: &'s [Suite],
    last: Option<usize>,
}

impl<'s> Shown<'s> {
    pub fn new(json: bool, suites: &'s [Suite]) -> Shown<'s> {
        Shown { json, colours: colours(&std::io::stdout()), suites, last: None }
    }

    /// One test, of the file `at`.
    pub fn trial(&mut self, at: usize, trial: &Trial) {
        if self.json {
            return;
        }
        if self.last.replace(at) != Some(at) {
            println!(
                "{}",
                self.suites.get(at).map(|suite| plain(&suite.file.display().to_string())).unwrap_or_default()
            );
        }
        let (mark, colour) = match trial.word() {
            "passed" => ("✓", "32"),
            "skipped" => ("–", "33"),
            _ => ("✗", "31"),
        };
        let more = match &trial.skipped {
            Some(why) if !trial.failed() => format!(" skipped: {why}"),
            _ if trial.accepted => " snapshot written".to_owned(),
            _ => String::new(),
        };
        let line = format!("{} {}{more}", plain(&trial.name), time_text(trial.ms));
        println!("  {} {}", paint(self.colours, colour, mark), plain(&line));
        if trial.failed() {
            print!("{}", indented(&reasons(trial), "      "));
        }
    }

    /// What is to be told when all have ended.
    pub fn end(&self, suites: &[Suite], trials: &[(usize, Trial)], coverage: &[Coverage], args: &TestArgs) {
        let count = |word: &str| trials.iter().filter(|(_, trial)| trial.word() == word).count();
        let (passed, failed, skipped) = (count("passed"), count("failed"), count("skipped"));
        if self.json {
            let files: Vec<Value> = suites
                .iter()
                .zip(coverage)
                .enumerate()
                .map(|(at, (suite, covered))| {
                    let own = trials.iter().filter(|(whose, _)| *whose == at);
                    json!({
                        "file": suite.file,
                        "program": suite.program.name,
                        "tests": own.map(|(_, trial)| told(trial)).collect::<Vec<_>>(),
                        "coverage": covered_json(covered),
                    })
                })
                .collect();
            println!("{}", json!({"v": 1, "files": files, "passed": passed, "failed": failed, "skipped": skipped}));
            return;
        }
        if args.coverage {
            suites.iter().zip(coverage).for_each(|(suite, covered)| print!("{}", coverage_text(suite, covered)));
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
    }
}

/// Why a test failed, and the steps that were taken.
fn reasons(trial: &Trial) -> String {
    let mut text = String::new();
    for wrong in &trial.wrong {
        let _ = writeln!(text, "{}", plain(wrong));
    }
    if !trial.steps.is_empty() {
        text.push_str("the steps:\n");
    }
    for step in trial.steps.iter().take(MOST_STEPS) {
        let why = step.error.as_ref().map(|error| format!("  {}: {}", error.code, error.message)).unwrap_or_default();
        let _ = writeln!(text, "  {}", plain(&format!("{} => {}{why}", step.key, step.outcome)).replace('\n', "; "));
    }
    if trial.steps.len() > MOST_STEPS {
        let _ = writeln!(text, "  and {} more", trial.steps.len() - MOST_STEPS);
    }
    text
}

fn indented(text: &str, by: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{by}{line}\n") }).collect()
}

fn told(trial: &Trial) -> Value {
    let steps: Vec<Value> = trial.steps.iter().map(|step| json!({"key": step.key, "outcome": step.outcome})).collect();
    json!({
        "name": trial.name,
        "line": trial.line,
        "result": trial.word(),
        "ms": (trial.ms * 1e3).round() / 1e3,
        "status": trial.status,
        "wrong": trial.wrong,
        "skipped": trial.skipped,
        "accepted": trial.accepted,
        "steps": steps,
    })
}

fn untaken(covered: &Coverage) -> impl Iterator<Item = &Edge> {
    covered.edges.iter().filter(|edge| edge.taken == Some(0))
}

fn covered_json(covered: &Coverage) -> Value {
    let (taken, edges) = covered.counts();
    let percent = (covered.percent() * 10.0).floor() / 10.0;
    let not_known: Vec<&Edge> = covered.edges.iter().filter(|edge| edge.taken.is_none()).collect();
    json!({
        "edges": edges,
        "taken": taken,
        "percent": percent,
        "not_taken": untaken(covered).collect::<Vec<_>>(),
        "not_known": not_known,
    })
}

fn coverage_text(suite: &Suite, covered: &Coverage) -> String {
    let mut text = format!("{}: edges taken: {covered}\n", plain(&suite.program.name));
    let lead = |edge: &Edge| match edge.to.is_empty() {
        true => String::new(),
        false => format!(" → {}", edge.to),
    };
    for edge in untaken(covered) {
        let _ =
            writeln!(text, "  line {}: {}: {}{} is taken by no test", edge.line, edge.from, edge.outcome, lead(edge));
    }
    for edge in covered.edges.iter().filter(|edge| edge.taken.is_none()) {
        let _ =
            writeln!(text, "  line {}: {}: {}{}: the runs do not tell", edge.line, edge.from, edge.outcome, lead(edge));
    }
    text
}

/// The report, in JUnit's XML.
pub fn junit(suites: &[Suite], trials: &[(usize, Trial)]) -> String {
    let count = |of: &[&Trial], word: &str| of.iter().filter(|trial| trial.word() == word).count();
    let seconds = |of: &[&Trial]| of.iter().map(|trial| trial.ms).sum::<f64>() / 1e3;
    let head = |of: &[&Trial]| {
        let (tests, failed, skipped) = (of.len(), count(of, "failed"), count(of, "skipped"));
        format!(
            "tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{:.3}\"",
            seconds(of)
        )
    };
    let all: Vec<&Trial> = trials.iter().map(|(_, trial)| trial).collect();
    let mut text =
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"aivm test\" {}>\n", head(&all));
    for (at, suite) in suites.iter().enumerate() {
        let own: Vec<&Trial> = trials.iter().filter(|(whose, _)| *whose == at).map(|(_, trial)| trial).collect();
        let file = xml(&suite.file.display().to_string());
        let _ = writeln!(text, "  <testsuite name=\"{file}\" {}>", head(&own));
        for trial in own {
            let (name, program) = (xml(&trial.name), xml(&suite.program.name));
            let _ = write!(
                text,
                "    <testcase name=\"{name}\" classname=\"{program}\" file=\"{file}\" line=\"{}\" time=\"{:.3}\"",
                trial.line,
                trial.ms / 1e3
            );
            let _ = match (trial.word(), &trial.skipped) {
                ("failed", _) => {
                    let first = trial.wrong.first().and_then(|wrong| wrong.lines().next()).unwrap_or("");
                    let why = xml(&secret::text(&reasons(trial)));
                    writeln!(
                        text,
                        ">\n      <failure message=\"{}\">{why}</failure>\n    </testcase>",
                        xml(&secret::text(first))
                    )
                }
                (_, Some(why)) => writeln!(text, ">\n      <skipped message=\"{}\"/>\n    </testcase>", xml(why)),
                _ => writeln!(text, "/>"),
            };
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    aivm_lang::draw::escape(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn xml_is_escaped() {
        assert_eq!(super::xml("a<b> & \"c\"\u{1}\u{ffff}é"), "a&lt;b&gt; &amp; &quot;c&quot;\u{fffd}\u{fffd}é");
    }
}
