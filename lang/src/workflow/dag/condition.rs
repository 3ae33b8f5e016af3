//! `when` and `until`: each becomes a call of the built-in `when`, which the page names beside its step.

use super::keys::{Named, Step, Workflow};
use crate::diagnostic::{Code, Diagnostic};
use crate::library::Library;
use crate::tables::{Placed, Tables};
use aivm_schema::param::ParamKind;
use aivm_schema::worker::{Does, WorkerDefinition};
use serde_json::json;

/// The built-in that judges a condition.
pub(super) const WHEN: &str = "when";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Whether the step is done at all.
    When,
    /// Whether it is done again.
    Until,
}

impl Condition {
    /// Its key.
    pub fn key(self) -> &'static str {
        match self {
            Condition::When => "when",
            Condition::Until => "until",
        }
    }

    /// What a step says of it.
    pub fn of(self, step: &Step) -> Option<&Placed<String>> {
        match self {
            Condition::When => step.when.as_ref(),
            Condition::Until => step.until.as_ref(),
        }
    }

    /// The word where it does not hold.
    fn otherwise(self) -> &'static str {
        match self {
            Condition::When => "send",
            Condition::Until => "back",
        }
    }

    /// The worker that judges it. It says `continue` where it holds.
    pub fn judge(self, workflow: &Workflow, step: &Named<Step>, needs: &[usize], condition: &str) -> WorkerDefinition {
        let mut judge = WorkerDefinition::new(Does::Builtin(WHEN.to_owned()));
        judge.with.insert("that".to_owned(), json!(condition));
        judge.with.insert("otherwise".to_owned(), json!(self.otherwise()));
        // A repetition judges what came of it; a condition what the step needs, under the names that the file has for it.
        let needs = needs.iter().filter_map(|at| workflow.steps.get(*at)).map(|step| step.name.as_str());
        let names: Vec<&str> = if self == Condition::Until { vec![step.name.as_str()] } else { needs.collect() };
        // Where there are none, a condition that names one is wrong.
        if !names.is_empty() || condition.contains("steps") {
            judge.with.insert("steps".to_owned(), json!(names));
        }
        if !workflow.params.is_empty() || condition.contains("params") {
            let kind = |kind: ParamKind| if kind == ParamKind::Choice { ParamKind::Text } else { kind };
            let types = workflow.params.iter().map(|param| (param.name.clone(), json!(kind(param.it.kind).word())));
            judge.with.insert("params".to_owned(), serde_json::Value::Object(types.collect()));
        }
        judge
    }
}

/// Tells of conditions that cannot be judged.
pub(super) fn check(tables: &mut Tables, workflow: &Workflow, needs: &[Vec<usize>], library: &dyn Library) {
    for (step, needs) in workflow.steps.iter().zip(needs) {
        for which in [Condition::When, Condition::Until] {
            let Some(condition) = which.of(&step.it) else { continue };
            let mut judge = which.judge(workflow, step, needs, condition.get_ref());
            // Of what could not be read any name may be one that there is.
            if needs.len() < step.it.needs.len() || step.is_broken && step.places.has("needs") {
                judge.with.remove("steps");
            }
            if workflow.hides("parameters") {
                judge.with.remove("params");
            }
            if let Err(reason) = library.check(&judge) {
                let reason = reason.strip_prefix("`that` of `when` ").unwrap_or(&reason);
                let message = format!("`{}` of `{}` {reason}", which.key(), step.name);
                let diagnostic = Diagnostic::new(Code::Workflow, tables.span(condition.span()), message);
                tables.report(match way_out(workflow, step, condition.get_ref()) {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
            }
        }
    }
}

/// What a condition that names a step was perhaps meant to be.
fn way_out(workflow: &Workflow, step: &Named<Step>, condition: &str) -> Option<String> {
    let named = |other: &&Named<Step>| condition.contains(&format!("steps.{}", other.name));
    let mut named: Vec<_> = workflow.steps.iter().filter(named).collect();
    // Of `a` and `a-b` the longer is meant.
    named.sort_by_key(|other| std::cmp::Reverse(other.name.len()));
    let other = named.first()?;
    if other.name.contains('-') {
        return Some(format!("a name with a `-` stands in brackets: `steps[\"{}\"].output`", other.name));
    }
    let is_needed = step.it.needs.iter().any(|need| *need.get_ref() == other.name);
    (!is_needed && other.name != step.name)
        .then(|| format!("it sees the steps that it needs: `needs = [\"{}\"]`", other.name))
}
