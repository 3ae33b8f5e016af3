//! What is known of the thing at a place, in Markdown: what a word does, its effect, what it can cost, where it may go.

use super::Document;
use super::meanings::meaning;
use super::names::{Name, Role};
use crate::cost::{self, summary_text};
use crate::flow::{self, Flow, Outcome};
use crate::lexer::{Kind, Token};
use crate::library::{Found, Library};
use crate::span::Span;
use aivm_schema::word::{BY_ENDING, is_reserved};
use aivm_schema::worker::{Effect, WorkerDefinition};
use std::fmt::Write;

/// What is known of the thing at a place.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hover {
    /// The thing.
    pub span: Span,
    /// What is known of it, in Markdown.
    pub text: String,
    /// The static key of the step, when it is one: what runs record its calls under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
}

impl Document {
    /// What is known of the thing at a byte.
    pub fn hover(&self, at: u32, library: &dyn Library) -> Option<Hover> {
        let at = self.boundary(at);
        let Some(one) = self.names.at(at) else { return self.hover_of_a_word(at) };
        let mut hover = Hover { span: one.span, text: String::new(), step: None };
        match &one.name {
            Name::Worker(word) => {
                let about = self.about_worker(word, library);
                hover.text = about.unwrap_or_else(|| format!("`{word}`: nothing has this name yet."));
                if let (Role::Called(id) | Role::Step(id), Some(compiled)) = (one.role, &self.compiled) {
                    let whole = self.parsed.spans.steps.get(id.index()).map(|places| places.whole)?;
                    let places = &compiled.flow.places.steps;
                    let at = places.iter().position(|place| *place == (0, whole))?;
                    hover.text.push_str(&step_text(&compiled.flow, flow::StepId(at as u32)));
                    hover.step = Some(step_key(&compiled.flow, flow::StepId(at as u32)));
                }
            }
            Name::Label(label) => hover.text = self.label_text(label),
            Name::Behaviour(word) => {
                let own = self.front.behaviour.get(word).cloned();
                let known = own.or_else(|| library.find_behaviour(&self.file, word).ok().flatten());
                hover.text = match known.map(|behaviour| behaviour.prompt) {
                    Some(prompt) if prompt.is_empty() => {
                        format!("The behaviour `{word}`: settings of whoever is called so.")
                    }
                    Some(prompt) => format!("The behaviour `{word}`:\n\n> {}", prompt.trim().replace('\n', "\n> ")),
                    None => format!("`{word}`: no behaviour has this name yet."),
                };
            }
            Name::Verdict(word) => {
                hover.text = match meaning(word) {
                    Some(meaning) => meaning.to_owned(),
                    None => format!("`{word}`: this arm is taken when the worker above answered so."),
                };
            }
        }
        Some(hover)
    }

    /// A word of the language or a sign, at a byte or just before it.
    fn hover_of_a_word(&self, at: u32) -> Option<Hover> {
        let behind = self.tokens.partition_point(|token| token.span.start <= at);
        let near = self.tokens.get(..behind)?.iter().rev().take(2).filter(|token| at <= token.span.end);
        near.filter_map(|token| Some(Hover { span: token.span, text: self.about_token(token)?, step: None })).next()
    }

    fn about_token(&self, token: &Token) -> Option<String> {
        let word = self.slice(token.span);
        let text = match token.kind {
            Kind::Word if is_reserved(word) || BY_ENDING.contains(&word) => meaning(word)?,
            Kind::Arrow => {
                "`<=`: hands a value on. Stages run in the order in which they are written, from the top down."
            }
            Kind::Leads => "`=>`: what may follow, best first.",
            Kind::Or => "`|`: else.",
            Kind::Tilde => "`worker ~ undoer`: what takes back what the worker did, when its stage is cancelled.",
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// What is known of whoever a word calls; found as the compiler finds it.
    pub(super) fn about_worker(&self, word: &str, library: &dyn Library) -> Option<String> {
        if self.names.functions.iter().any(|function| function.name == word) {
            return Some(format!("**`{word}`**: a definition of this file."));
        }
        let found = match self.front.worker.get(word) {
            Some(definition) => Found::Worker(Box::new(definition.clone())),
            None => library.find(&self.file, word).ok().flatten()?,
        };
        Some(worker_text(word, &found))
    }

    fn label_text(&self, label: &str) -> String {
        let mut text = format!("The stage labelled `{label}`");
        let Some(flow) = self.compiled.as_ref().map(|compiled| &compiled.flow) else { return text };
        let stage = flow.stages.iter().find(|stage| {
            let here = flow.functions.get(stage.function.index()).is_some_and(|function| function.file == 0);
            here && stage.label.is_some_and(|word| flow.word(word) == label)
        });
        let Some(stage) = stage else { return text };
        _ = write!(text, ": a `{}`.", crate::lower::kind_word(stage.kind));
        if let Some(entries) = stage.entries {
            let default = if entries.written { "" } else { ", the default where nobody says how often" };
            let times = if entries.most == 1 { "once".to_owned() } else { format!("{} times", entries.most) };
            _ = write!(text, " It is entered at most {times} in one entry of what is around it{default}.");
        }
        text
    }
}

/// What a worker is.
fn worker_text(word: &str, found: &Found) -> String {
    let definition = match found {
        Found::Program { file, .. } => return format!("**`{word}`**: the pipeline in {file}."),
        Found::Worker(definition) => definition,
    };
    let mut text = format!("**`{word}`**: {}, {}.", definition.does.kind(), effect_text(definition));
    if !definition.about.is_empty() {
        _ = write!(text, "\n\n{}", definition.about.trim());
    }
    let mut more = Vec::new();
    if !definition.words.is_empty() {
        more.push(format!("may answer `{}`", definition.words.join("`, `")));
    }
    if !definition.accepts.is_empty() {
        more.push(format!("reads `{}`", definition.accepts.join("`, `")));
    }
    if let Some(returns) = &definition.returns {
        more.push(format!("returns `{returns}`"));
    }
    if let Some(undo) = &definition.undo {
        more.push(format!("is taken back by `{undo}`"));
    }
    if let Some(cost) = definition.cost {
        more.push(format!("costs at most {cost} a call"));
    }
    if !more.is_empty() {
        _ = write!(text, "\n\nIt {}.", more.join("; "));
    }
    text
}

/// What a call does to the world, in words.
fn effect_text(definition: &WorkerDefinition) -> &'static str {
    match definition.effect {
        Some(Effect::Pure) => "pure",
        Some(Effect::Read) => "reads the world",
        Some(Effect::Idempotent) => "idempotent",
        Some(Effect::Compensable) => "compensable",
        Some(Effect::Irreversible) => "irreversible",
        None => "effect not declared, so taken for irreversible",
    }
}

/// What one run can take by a step, and where it may go.
fn step_text(flow: &Flow, id: flow::StepId) -> String {
    let Some(step) = flow.steps.get(id.index()) else { return String::new() };
    let mut text = String::new();
    let key = step_key(flow, id);
    let worst = cost::worst_case(flow);
    if let Some(row) = worst.steps.iter().find(|row| row.key == key) {
        _ = write!(text, "\n\nIn one run: {}.", summary_text(&row.cost));
    }
    if let Some(visits) = step.visits {
        let default = if visits.written { "" } else { ", the default where nobody says how often" };
        _ = write!(text, "\n\nVisits in one entry of its stage: at most {}{default}.", visits.most);
    }
    let outcomes: Vec<String> = step.outcomes.iter().map(|outcome| outcome_text(flow, id, *outcome)).collect();
    if !outcomes.is_empty() {
        _ = write!(text, "\n\n{}", outcomes.join("\n"));
    }
    text
}

fn outcome_text(flow: &Flow, id: flow::StepId, outcome: Outcome) -> String {
    let Some(step) = flow.steps.get(id.index()) else { return String::new() };
    let word = outcome.word(flow);
    match flow.dest(step.stage, step.element, outcome) {
        Some(dest) => format!("- `{word}` → {}", flow.dest_text(dest)),
        None => format!("- `{word}`"),
    }
}

/// The static key of a step: `step2/analyze`, in a definition with its name before it.
fn step_key(flow: &Flow, id: flow::StepId) -> String {
    let Some(step) = flow.steps.get(id.index()) else { return String::new() };
    let Some(stage) = flow.stages.get(step.stage.index()) else { return String::new() };
    let function = flow.functions.get(stage.function.index()).filter(|_| stage.function.index() > 0);
    let prefix = function.map(|function| format!("{}: ", function.name)).unwrap_or_default();
    format!("{prefix}{}/{}", stage.key, step.name)
}
