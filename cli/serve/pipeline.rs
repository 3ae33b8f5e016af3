//! What a pipeline tells of itself, to those that call it: its name, what it does, what it takes, what it may do to the world, and
//! whether its answer can be heard while it is made.

use crate::module::Program;
use aivm_host::{builtin, facts};
use aivm_schema::isa::Instruction;
use aivm_schema::module::{EdgeKind, Module, Step, StepTarget, WorkerId};
use aivm_schema::worker::{Does, Effect, WorkerDefinition};
use serde_json::Value;

/// A description is cut after so many bytes.
const MOST_ABOUT: usize = 1_000;

/// A pipeline, as it is known outside.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Under which it is called.
    pub name: String,
    /// What it does, for whoever chooses among several.
    pub about: String,
    /// What it takes.
    pub takes: Takes,
    /// The worst that one of its workers does to the world.
    pub effect: Effect,
    /// Does one of them reach beyond this machine?
    pub reaches_outside: bool,
    /// Calls whose answer is the pipeline's, when a model gives it as text: the beginnings of their keys.
    pub last: Vec<String>,
}

/// What a pipeline takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Takes {
    /// Text of this media type.
    Text(String),
    /// JSON that fits this schema.
    Json(Value),
    /// Bytes of this media type.
    Bytes(String),
}

impl Takes {
    /// The media type of what is given to it.
    pub fn media_type(&self) -> &str {
        match self {
            Takes::Text(media_type) | Takes::Bytes(media_type) => media_type,
            Takes::Json(_) => "application/json",
        }
    }
}

impl Pipeline {
    /// What there is to know of a program.
    pub fn of(name: String, program: &Program) -> Pipeline {
        let module = program.module.module();
        let definitions =
            module.workers.iter().filter_map(|worker| WorkerDefinition::from_json(&worker.definition).ok());
        let definitions: Vec<WorkerDefinition> = definitions.collect();
        Pipeline {
            about: about(&name, program),
            name,
            takes: takes(module, program.module.code()),
            effect: definitions.iter().map(facts::effect).max().unwrap_or(Effect::Pure),
            reaches_outside: definitions.iter().any(facts::reaches_outside),
            last: last(module, program.module.code()),
        }
    }
}

/// The comment at the top of the file, or the one above `out`; else what its steps are.
fn about(name: &str, program: &Program) -> String {
    let files = program.debug.as_ref().map(|debug| debug.files.as_slice()).unwrap_or_default();
    let source = files.first().map(|(_, text)| text.as_str()).unwrap_or_default();
    let behind = source.strip_prefix("+++").and_then(|rest| rest.split_once("\n+++")).map_or(source, |(_, rest)| rest);
    let comment = |lines: &mut dyn Iterator<Item = &str>| {
        let lines = lines.map_while(|line| line.trim().strip_prefix(';')).map(|line| line.trim().to_owned());
        lines.collect::<Vec<String>>()
    };
    let mut lines = comment(&mut behind.lines().skip_while(|line| line.trim().is_empty()));
    if lines.is_empty() {
        let is_out = |line: &&str| line.strip_prefix("out").is_some_and(|rest| rest.trim_start().starts_with("<="));
        let above: Vec<&str> = behind.lines().take_while(|line| !is_out(line)).collect();
        lines = comment(&mut above.into_iter().rev());
        lines.reverse();
    }
    let mut about = lines.join(" ").trim().to_owned();
    if about.is_empty() {
        let module = program.module.module();
        let of_program = module.functions.first().map_or(0, |function| usize::from(function.steps.1));
        let steps: Vec<&str> = module.steps.iter().take(of_program).map(|step| step.name.as_str()).collect();
        about = format!("Runs the pipeline {name}: {}", steps.join(", "));
    }
    about.truncate(about.floor_char_boundary(MOST_ABOUT));
    about
}

/// What the worker takes that is called first; text where that is not one worker, or it does not say.
fn takes(module: &Module, code: &[Instruction]) -> Takes {
    let text = Takes::Text("text/plain".to_owned());
    let Some(worker) = first(module, code).and_then(|worker| definition(module, worker)) else { return text };
    if let Some(schema) = worker.accepts_schema {
        return Takes::Json(schema);
    }
    // A pattern such as `text/*` names no type.
    let named = |media_type: &&String| !media_type.contains('*');
    let is_text = |media_type: &&String| builtin::is_text(media_type);
    match worker.accepts.iter().find(is_text) {
        Some(media_type) if media_type.contains('*') => text,
        Some(media_type) => Takes::Text(media_type.clone()),
        None if worker.accepts.iter().any(|media_type| media_type == "*/*") => text,
        None => worker.accepts.iter().find(named).map_or(text, |media_type| Takes::Bytes(media_type.clone())),
    }
}

fn definition(module: &Module, worker: WorkerId) -> Option<WorkerDefinition> {
    WorkerDefinition::from_json(&module.workers.get(worker.index())?.definition).ok()
}

/// The worker that is called first, with the input as it is.
fn first(module: &Module, code: &[Instruction]) -> Option<WorkerId> {
    let mut at = module.functions.first()?.entry as usize;
    // What is entered again is a cycle, and every way is shorter than the code.
    for _ in 0..code.len() {
        at = match *code.get(at)? {
            Instruction::Enter { .. } | Instruction::Count { .. } => at + 1,
            Instruction::Jump { target } => target as usize,
            Instruction::Call { step } => match module.steps.get(step.index())?.target {
                StepTarget::Worker(worker) => return Some(worker),
                StepTarget::Function(function) => module.functions.get(function.index())?.entry as usize,
            },
            _ => return None,
        };
    }
    None
}

/// The steps that give the program's output, each in one call of a model that can only answer, as text.
fn last(module: &Module, code: &[Instruction]) -> Vec<String> {
    let end = module.functions.first().map_or(0, |program| program.end as usize);
    let last = code.iter().take(end).enumerate().filter_map(|(at, instruction)| {
        let Instruction::Call { step } = *instruction else { return None };
        let step = module.steps.get(step.index())?;
        let [edge] = edges(code, at + 1) else { return None };
        let Instruction::Edge { kind: EdgeKind::Next | EdgeKind::Send | EdgeKind::Jump, offset, .. } = *edge else {
            return None;
        };
        let stage = module.stages.get(step.stage.index())?;
        let gives = tells(module, step) && ends(code, at + 1 + usize::from(offset));
        gives.then(|| format!("{}/{}#", stage.key, step.name))
    });
    last.collect()
}

/// The edges that stand here.
fn edges(code: &[Instruction], from: usize) -> &[Instruction] {
    let rest = code.get(from..).unwrap_or_default();
    let count = rest.iter().take_while(|instruction| matches!(instruction, Instruction::Edge { .. })).count();
    rest.get(..count).unwrap_or_default()
}

/// Is it a model that answers at once, in text, with no word to choose?
fn tells(module: &Module, step: &Step) -> bool {
    let StepTarget::Worker(worker) = step.target else { return false };
    let Some(worker) = definition(module, worker) else { return false };
    let is_text = worker.returns.as_deref().is_none_or(|returns| !builtin::is_json(returns));
    // One with tools says things between their calls.
    let answers = matches!(&worker.does, Does::Model(ask) if ask.tools.offers.is_empty());
    answers && is_text && worker.returns_schema.is_none() && step.verdicts.is_empty()
}

/// Does the program end from here on, with what flows?
fn ends(code: &[Instruction], mut at: usize) -> bool {
    for _ in 0..code.len() {
        at = match code.get(at) {
            Some(Instruction::Leave { .. }) => at + 1,
            Some(Instruction::Jump { target }) => *target as usize,
            Some(Instruction::Return {}) => return true,
            _ => return false,
        };
    }
    false
}
