//! How a workflow is said in arrows: a join whose elements refer to each other. A step that is more than one call, with a condition,
//! a repetition or somebody to fall back on, is an element with stages of its own.

use super::artifacts;
use super::condition::{Condition, WHEN};
use super::keys::{Named, OnFailure, Step, Workflow};
use super::work::{Calls, Work};
use crate::span::Span;
use crate::tables::Tables;
use crate::workflow::page::{Page, Writer, only_recorded};
use aivm_schema::word::is_word;
use aivm_schema::worker::{Does, WorkerDefinition};
use serde_json::json;
use std::num::NonZeroU16;

/// The label of the join.
const STEPS: &str = "steps";

/// Writes the page of a workflow in which nothing is wrong.
pub(super) fn write(
    tables: &Tables,
    workflow: &Workflow,
    needs: &[Vec<usize>],
    works: Vec<Option<Work>>,
    required: Option<WorkerDefinition>,
) -> Page {
    let mut writer = Writer::default();
    about(&mut writer, tables, workflow);
    settings(&mut writer, workflow);
    recorded(&mut writer, tables, workflow);
    let label = writer.word(STEPS);
    // What is called by its own name keeps it.
    let called = works.iter().flatten().filter_map(|work| match &work.does {
        Calls::Named(name) => Some(name.get_ref().clone()),
        Calls::Own(_) => None,
    });
    let called: rustc_hash::FxHashSet<String> = called.collect();
    called.iter().for_each(|name| writer.reserve(name));
    let elements: Vec<Element> = workflow
        .steps
        .iter()
        .zip(works)
        .zip(needs)
        .filter_map(|((step, work), needs)| Some(Element::new(&mut writer, tables, step, work?, needs)))
        .collect();
    let outs: Vec<String> = elements.iter().map(|element| element.out(&label)).collect();
    writer.put("out <= (\n    ", Span::default());
    if let Some(required) = required {
        let word = writer.word("requirements");
        writer.worker(&word, &required, Span::default());
        writer.put(&format!("switch <= ( {word} => continue )\n    <= "), Span::default());
    }
    writer.put(&format!("join[{label}] <= (\n"), Span::default());
    for element in &elements {
        let refs: Vec<&str> = element.needs.iter().filter_map(|at| outs.get(*at)).map(String::as_str).collect();
        element.write(&mut writer, workflow, &refs.join(", "));
    }
    artifacts::write(&mut writer, workflow, needs, &outs);
    writer.put("    )\n) <= in\n", Span::default());
    writer.finish()
}

/// What is said of the workflow stands above it, for whoever reads on.
fn about(writer: &mut Writer, tables: &Tables, workflow: &Workflow) {
    let about = &workflow.about;
    let id = about.id.as_ref().map_or("", |id| id.get_ref().as_str());
    let tags = about.tags.join(", ");
    let all = [
        ("", about.name.as_str()),
        ("", &about.description),
        ("id: ", id),
        ("tags: ", &tags),
        ("license: ", &about.license),
        ("homepage: ", &about.homepage),
    ];
    let at = about.id.as_ref().map_or(Span::default(), |id| tables.span(id.span()));
    for (key, text) in all.into_iter().filter(|(_, text)| !text.trim().is_empty()) {
        comment(writer, "", &format!("{key}{text}"), at);
    }
}

/// What a run is asked for, and how many calls it makes at once: one after the other, unless the file says more.
fn settings(writer: &mut Writer, workflow: &Workflow) {
    for Named { name, span, it, .. } in &workflow.params {
        writer.table("param", name, it, *span);
    }
    let most = workflow.about.concurrency.map_or(1, NonZeroU16::get);
    writer.settings(&format!("[limits]\nconcurrent = {most}\n\n"), Span::default());
}

/// Each line of a text as a comment.
fn comment(writer: &mut Writer, indent: &str, text: &str, at: Span) {
    for line in text.trim().lines() {
        let line = line.replace(char::is_control, " ");
        writer.put(&format!("{indent}; {}\n", line.trim()), at);
    }
}

/// A step as an element of the join.
struct Element<'w> {
    step: &'w Named<Step>,
    work: Work,
    needs: &'w [usize],
    /// Its name in arrows.
    word: String,
    /// Whom it calls.
    callee: String,
    callee_span: Span,
    when: Option<(String, Span)>,
    /// What hands on what it needs, where a failure goes by.
    given: Option<String>,
    until: Option<(String, Span)>,
}

impl<'w> Element<'w> {
    fn new(writer: &mut Writer, tables: &Tables, step: &'w Named<Step>, work: Work, needs: &'w [usize]) -> Element<'w> {
        let word = match &work.does {
            Calls::Named(name) if *name.get_ref() == step.name && is_word(&step.name) => step.name.clone(),
            _ => writer.word(&step.name),
        };
        let (callee, callee_span) = match &work.does {
            Calls::Named(name) => (name.get_ref().clone(), tables.span(name.span())),
            Calls::Own(_) => (word.clone(), step.span),
        };
        let mut judge = |which: Condition| {
            let condition = which.of(&step.it)?;
            Some((writer.word(&format!("{}-{}", step.name, which.key())), tables.span(condition.span())))
        };
        let (when, until) = (judge(Condition::When), judge(Condition::Until));
        let falls_back = step.it.on_failure == OnFailure::Continue;
        let given =
            (falls_back && when.is_none() && !needs.is_empty()).then(|| writer.word(&format!("{}-given", step.name)));
        Element { step, work, needs, word, callee, callee_span, when, given, until }
    }

    /// Has it stages of its own, under its name?
    fn is_nested(&self) -> bool {
        self.when.is_some() || self.until.is_some() || self.falls_back() || self.callee != self.word
    }

    /// Whatever becomes of it, a match below goes on: those who need it have what it was given.
    fn falls_back(&self) -> bool {
        self.step.it.on_failure == OnFailure::Continue
    }

    /// How others refer to what it returned.
    fn out(&self, label: &str) -> String {
        if self.is_nested() { format!("{}.out", self.word) } else { format!("{label}.{}.out", self.word) }
    }

    fn write(&self, writer: &mut Writer, workflow: &Workflow, refs: &str) {
        let span = self.step.span;
        match &self.work.does {
            Calls::Own(definition) => writer.worker(&self.word, definition, span),
            Calls::Named(_) => comment(writer, "        ", &self.step.it.description, span),
        }
        if !self.is_nested() {
            self.call(writer, "        ", refs);
            writer.put("\n", span);
            return;
        }
        writer.put(&format!("        switch[{}] <= (", self.word), span);
        // What it needs flows into a condition, and past a failure as well.
        if let Some((word, span)) = &self.when {
            self.judge(writer, workflow, word, *span, Condition::When);
            writer.put(&format!("\n            {} => continue | send", called(word, "", refs)), *span);
        } else if let Some(word) = &self.given {
            let mut given = WorkerDefinition::new(Does::Builtin(WHEN.to_owned()));
            given.with.insert("that".to_owned(), json!("true"));
            writer.worker(word, &given, span);
            writer.put(&format!("\n            {} => continue", called(word, "", refs)), span);
        }
        if self.falls_back() {
            writer.put("\n            switch <= (", span);
        }
        // A repetition is given the same each time.
        let flows = (self.when.is_some() || self.given.is_some()) && self.until.is_none();
        let again = if self.until.is_some() && refs.is_empty() { "in" } else { refs };
        let is_alone = self.until.is_none() && (self.when.is_none() || self.falls_back());
        self.call(writer, if is_alone { " " } else { "\n            " }, if flows { "" } else { again });
        if let Some((word, span)) = &self.until {
            self.judge(writer, workflow, word, *span, Condition::Until);
            writer.put(&format!("\n            {word} => continue | back"), *span);
        }
        writer.put(if is_alone { " )" } else { "\n        )" }, span);
        if self.falls_back() {
            writer.put(" <= match <= ( success => next  default => next )\n        )", span);
        }
        writer.put("\n", span);
    }

    /// The worker of a condition.
    fn judge(&self, writer: &mut Writer, workflow: &Workflow, word: &str, span: Span, which: Condition) {
        if let Some(condition) = which.of(&self.step.it) {
            writer.worker(word, &which.judge(workflow, self.step, self.needs, condition.get_ref()), span);
        }
    }

    /// The call itself, with its limits and outcomes.
    fn call(&self, writer: &mut Writer, indent: &str, refs: &str) {
        let visits = self.until.is_some().then_some(self.step.it.max_iterations.as_ref()).flatten();
        let limits = [visits.map(|most| most.get_ref().to_string()), self.work.timeout.map(|most| most.to_string())];
        let limits: Vec<String> = limits.into_iter().flatten().collect();
        let limits = if limits.is_empty() { String::new() } else { format!("<{}>", limits.join(", ")) };
        let mut outcomes = "next".to_owned();
        if self.work.retry > 0 {
            outcomes.push_str(&format!(" | retry * {}", self.work.retry));
        }
        writer.put(&format!("{indent}{} => {outcomes}", called(&self.callee, &limits, refs)), self.callee_span);
    }
}

/// A caller: a worker with its limits, and what is referred to.
fn called(worker: &str, limits: &str, refs: &str) -> String {
    if refs.is_empty() { format!("{worker}{limits}") } else { format!("[{worker}{limits} <= {refs}]") }
}

/// What the file says that nothing is done with.
fn recorded(writer: &mut Writer, tables: &Tables, workflow: &Workflow) {
    let mut warn = |key: &str, of: &str, range| {
        writer.warn(only_recorded(tables.span(range), &format!("`{key}` of {of}")));
    };
    for Named { name, it, .. } in &workflow.steps {
        let unused = it.max_iterations.as_ref().filter(|_| it.until.is_none());
        unused.into_iter().for_each(|most| warn("max_iterations", &format!("`{name}`"), most.span()));
    }
}
