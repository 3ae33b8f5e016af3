//! What the program says of a step: where it was written, its list of outcomes, and where each leads.

use crate::runs::journal::Told;
use aivm_schema::isa::Instruction;
use aivm_schema::module::{CounterId, Debug, EdgeKind, FunctionId, StepId, StepTarget};
use serde_json::{Value, json};

/// `stage/step`, as keys have it.
pub fn path(told: &Told, step: StepId) -> Option<String> {
    let step = told.module().steps.get(step.index())?;
    let stage = told.module().stages.get(step.stage.index())?;
    Some(if stage.key.is_empty() { step.name.clone() } else { format!("{}/{}", stage.key, step.name) })
}

/// Whom a step calls.
pub fn worker(told: &Told, step: StepId) -> Option<&str> {
    let module = told.module();
    Some(match module.steps.get(step.index())?.target {
        StepTarget::Worker(worker) => &module.workers.get(worker.index())?.name,
        StepTarget::Function(function) => &module.functions.get(function.index())?.name,
    })
}

/// Where a step was written.
pub struct Source {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The lines that it stands in.
    pub text: String,
}

/// The place and the lines of a step in its source.
pub fn written(debug: &Debug, step: StepId) -> Option<Source> {
    let (file, start, end) = *debug.steps.get(step.index())?;
    let (file, source) = debug.files.get(usize::from(file))?;
    let (start, end) = (start as usize, end as usize);
    let before = source.get(..start)?;
    let first = before.rfind('\n').map_or(0, |at| at + 1);
    let last = source.get(end..)?.find('\n').map_or(source.len(), |at| end + at);
    let text = source.get(first..last)?;
    let indent = text.len() - text.trim_start_matches(' ').len();
    let text: Vec<&str> = text.lines().map(|line| line.get(indent..).unwrap_or(line.trim_start())).collect();
    Some(Source { file: file.clone(), line: before.matches('\n').count() + 1, text: text.join("\n") })
}

/// An outcome of a step's list.
pub struct Outcome {
    /// `back`, `step2.jump`.
    pub word: String,
    /// What it does.
    pub kind: EdgeKind,
    /// How often it can be taken.
    most: Option<u32>,
    /// Where it leads.
    pub to: Option<Place>,
    /// A `back` from the first element.
    nowhere: bool,
}

impl Outcome {
    /// For people: with how often it can be taken.
    pub fn text(&self) -> String {
        match (self.nowhere, self.most) {
            (true, _) => format!("{} (leads nowhere)", self.word),
            (false, Some(most)) => format!("{} (at most {most})", self.word),
            (false, None) => self.word.clone(),
        }
    }

    /// For scripts.
    pub fn json(&self) -> Value {
        json!({"outcome": self.word, "most": self.most, "to": self.to.as_ref().map(Place::text)})
    }

    /// Why it could not be taken.
    pub fn closed(&self) -> String {
        match (self.kind, self.nowhere, self.most) {
            (_, true, _) => "no element stands above the first".to_owned(),
            (EdgeKind::Retry, _, Some(most)) => {
                format!("it had been tried again {most} time{} already", if most == 1 { "" } else { "s" })
            }
            (_, _, Some(most)) => {
                let to = self.to.as_ref().map_or_else(|| "where it leads".to_owned(), Place::text);
                format!("{to} can be entered {most} time{}, and has been", if most == 1 { "" } else { "s" })
            }
            _ => "it cannot be taken".to_owned(),
        }
    }
}

/// What stands at an address of the code.
#[derive(Clone)]
pub enum Place {
    /// A step: `stage/step`.
    Step(String),
    /// A stage that decides what comes next.
    Stage(String),
    /// The end of a branch or item.
    Hand,
    /// The end of a definition; none: of the program.
    End(Option<String>),
}

impl Place {
    /// For people.
    pub fn text(&self) -> String {
        match self {
            Place::Step(name) | Place::Stage(name) => name.clone(),
            Place::Hand => "the join, as its part".to_owned(),
            Place::End(None) => "the end of the run".to_owned(),
            Place::End(Some(name)) => format!("the end of {name}"),
        }
    }
}

/// The list of a step's outcomes; of a fan-out that of the whole, or of one item.
pub fn outcomes(told: &Told, step: StepId, item: bool) -> Vec<Outcome> {
    let code = told.module.code();
    let call = code.iter().position(|at| matches!(at, Instruction::Call { step: of } if *of == step));
    let map = code.iter().position(|at| matches!(at, Instruction::Map { step: of, .. } if *of == step));
    let Some(at) = (if item { call } else { map.or(call) }) else { return Vec::new() };
    let function = told.module().functions.iter().position(|row| (row.entry..row.end).contains(&(at as u32)));
    let function = FunctionId(function.unwrap_or_default() as u16);
    let limit = |counter: CounterId| {
        let limits = told.module().functions.get(function.index()).map(|row| row.counters.as_slice());
        limits.and_then(|limits| limits.get(counter.index())).map(|most| u32::from(*most))
    };
    let mut list = Vec::new();
    let mut retries = 0u32;
    for (at, instruction) in code.iter().enumerate().skip(at + 1) {
        let Instruction::Edge { kind, word, counter, offset } = *instruction else { break };
        let word = told.module().words.get(word.index()).map_or("", |word| word.as_str());
        let word = if kind == EdgeKind::Jump { format!("{word}.jump") } else { kind.word().to_owned() };
        let ends = matches!(kind, EdgeKind::Retry | EdgeKind::Cancel | EdgeKind::Timeout);
        let to = (!ends && offset > 0).then(|| leads_to(told, function, at + usize::from(offset))).flatten();
        let most = match kind {
            EdgeKind::Retry => {
                retries = retries.saturating_add(offset.into());
                Some(retries)
            }
            _ => counter.and_then(limit),
        };
        list.push(Outcome { word, kind, most, to, nowhere: kind == EdgeKind::Back && offset == 0 });
    }
    list
}

/// What is come to first from an address on.
fn leads_to(told: &Told, function: FunctionId, mut at: usize) -> Option<Place> {
    let module = told.module();
    let stage = |id: usize| module.stages.get(id).map(|stage| stage.key.clone());
    let mut entered = None;
    // Every cycle passes a call; so many steps are enough for any way without one.
    for _ in 0..=told.module.code().len() {
        match *told.module.code().get(at)? {
            Instruction::Jump { target } => {
                at = target as usize;
                continue;
            }
            Instruction::Enter { stage } => entered = Some(stage),
            Instruction::Call { step } | Instruction::Map { step, .. } => return path(told, step).map(Place::Step),
            Instruction::Join { stage: id, .. } | Instruction::Choose { stage: id, .. } => {
                return stage(id.index()).map(Place::Stage);
            }
            Instruction::Pick {}
            | Instruction::IfWord { .. }
            | Instruction::IfLast { .. }
            | Instruction::IfKind { .. } => {
                return stage(entered?.index()).map(Place::Stage);
            }
            Instruction::Fail { stage: id } => return stage(id.index()).map(Place::Stage),
            Instruction::Hand {} => return Some(Place::Hand),
            Instruction::Return {} => {
                let name = module.functions.get(function.index()).map(|row| row.name.clone());
                return Some(Place::End(name.filter(|_| function.index() > 0)));
            }
            Instruction::Leave { .. }
            | Instruction::Count { .. }
            | Instruction::Edge { .. }
            | Instruction::Ref { .. }
            | Instruction::Gather { .. }
            | Instruction::Wait { .. }
            | Instruction::Branch { .. }
            | Instruction::Option { .. } => {}
        }
        at += 1;
    }
    None
}
