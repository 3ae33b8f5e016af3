//! The tables beside the code: names that are names, indices in range, functions that divide the rows, stages and counters
//! that nest.

use super::rule::{Place, Rule, VerifyError};
use aivm_schema::limits;
use aivm_schema::module::*;
use std::ops::Range;

/// What the other parts need to know of a function's stages.
pub(super) struct Facts {
    /// The first stage of the function.
    first: usize,
    /// How deep each stage lies; 1 for those in no other.
    depths: Vec<u8>,
    /// By counter: the innermost stage that sets it to zero.
    homes: Vec<Option<StageId>>,
}

impl Facts {
    /// How many stages are around what stands in this one, itself included.
    pub fn depth(&self, stage: Option<StageId>) -> u8 {
        let depth = stage.and_then(|stage| self.depths.get(stage.index().checked_sub(self.first)?));
        depth.copied().unwrap_or(0)
    }

    /// The stage that a counter belongs to; none: the function.
    pub fn home(&self, counter: CounterId) -> Option<StageId> {
        self.homes.get(counter.index()).copied().flatten()
    }
}

/// The rows of a function.
pub(super) fn span((first, count): (u16, u16)) -> Range<usize> {
    usize::from(first)..usize::from(first) + usize::from(count)
}

/// Checks all tables.
pub(super) fn check(module: &Module) -> Result<Vec<Facts>, VerifyError> {
    let rows = [module.words.len(), module.functions.len(), module.stages.len(), module.steps.len()];
    if rows
        .into_iter()
        .chain([module.workers.len(), module.behaviours.len(), module.params.len()])
        .any(|rows| rows > usize::from(u16::MAX))
    {
        return Err(VerifyError { place: Place::Module, rule: Rule::TooManyRows });
    }
    names("words", &module.words, |word| word, false)?;
    names("workers", &module.workers, |worker| &worker.name, true)?;
    names("behaviours", &module.behaviours, |behaviour| &behaviour.name, true)?;
    names("params", &module.params, |param| &param.name, true)?;
    names("functions", &module.functions, |function| &function.name, true)?;
    names("stages", &module.stages, |stage| &stage.key, true)?;
    names("steps", &module.steps, |step| &step.name, false)?;
    distinct(&module.words)?;
    divide(module)?;
    let mut facts = Vec::with_capacity(module.functions.len());
    for (row, function) in module.functions.iter().enumerate() {
        self::function(module, function).map_err(|rule| rule.in_row("functions", row))?;
        facts.push(stages(module, function)?);
        steps(module, row, function)?;
    }
    calls(module)?;
    Ok(facts)
}

/// Every function stands before those that it calls, so one pass finds how deep each is called.
fn calls(module: &Module) -> Result<(), VerifyError> {
    let mut depths = vec![1u8; module.functions.len()];
    for (caller, function) in module.functions.iter().enumerate() {
        let deeper = depths.get(caller).map_or(1, |depth| depth + 1);
        let rows = span(function.steps);
        for (row, step) in rows.clone().zip(module.steps.get(rows).unwrap_or(&[])) {
            for target in [Some(step.target), step.undo].into_iter().flatten() {
                let StepTarget::Function(callee) = target else { continue };
                let Some(depth) = depths.get_mut(callee.index()) else { continue };
                *depth = deeper.max(*depth);
                if usize::from(*depth) > limits::CALLS_DEEP {
                    return Err(Rule::CallsDeep.in_row("steps", row));
                }
            }
        }
    }
    Ok(())
}

fn names<T>(table: &'static str, rows: &[T], name: impl Fn(&T) -> &String, slashes: bool) -> Result<(), VerifyError> {
    let letter =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte == b'/' && slashes;
    let fine = |name: &str| !name.is_empty() && name.len() <= limits::ARTIFACT_TEXT && name.bytes().all(letter);
    match rows.iter().position(|row| !fine(name(row))) {
        Some(row) => Err(Rule::Name.in_row(table, row)),
        None => Ok(()),
    }
}

/// By sorting: a hash could be made to collide.
fn distinct(words: &[String]) -> Result<(), VerifyError> {
    let mut sorted: Vec<(&String, usize)> = words.iter().zip(0..).collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).filter_map(|pair| match pair {
        [(first, _), (second, row)] if first == second => Some(*row),
        _ => None,
    });
    match twice.min() {
        Some(row) => Err(Rule::SameWord.in_row("words", row)),
        None => Ok(()),
    }
}

fn divide(module: &Module) -> Result<(), VerifyError> {
    let (mut code, mut stages, mut steps) = (0u32, 0, 0);
    for (row, function) in module.functions.iter().enumerate() {
        let follows =
            function.entry == code && span(function.stages).start == stages && span(function.steps).start == steps;
        if !follows || function.end <= function.entry {
            return Err(Rule::Division.in_row("functions", row));
        }
        (code, stages, steps) = (function.end, span(function.stages).end, span(function.steps).end);
    }
    let Some(last) = module.functions.len().checked_sub(1) else {
        return Err(VerifyError { place: Place::Module, rule: Rule::NoProgram });
    };
    if (code as usize, stages, steps) != (module.code.len(), module.stages.len(), module.steps.len()) {
        return Err(Rule::Division.in_row("functions", last));
    }
    Ok(())
}

fn function(module: &Module, function: &Function) -> Result<(), Rule> {
    // Each register but the first is some stage's or step's input or output; a call's memory follows from what was read.
    let named = 2 * (usize::from(function.stages.1) + usize::from(function.steps.1));
    if !(1..=1 + named).contains(&usize::from(function.registers)) {
        return Err(Rule::Registers);
    }
    if function.counters.contains(&0) || function.counters.len() >= usize::from(u16::MAX) {
        return Err(Rule::CounterLimit);
    }
    ascending(module, &function.verdicts)
}

fn ascending(module: &Module, words: &[WordId]) -> Result<(), Rule> {
    if words.last().is_some_and(|last| last.index() >= module.words.len()) {
        return Err(Rule::NoSuchRow);
    }
    if words.is_sorted_by(|first, second| first < second) { Ok(()) } else { Err(Rule::Order) }
}

fn register(function: &Function, register: Option<RegisterId>) -> Result<(), Rule> {
    match register {
        Some(register) if register == INPUT || register.0 >= function.registers => Err(Rule::Register),
        _ => Ok(()),
    }
}

fn stages(module: &Module, function: &Function) -> Result<Facts, VerifyError> {
    let rows = span(function.stages);
    let mut facts = Facts { first: rows.start, depths: Vec::new(), homes: vec![None; function.counters.len()] };
    for (row, stage) in rows.clone().zip(module.stages.get(rows).unwrap_or(&[])) {
        self::stage(module, function, row, stage, &mut facts).map_err(|rule| rule.in_row("stages", row))?;
    }
    Ok(facts)
}

fn stage(module: &Module, function: &Function, row: usize, stage: &Stage, facts: &mut Facts) -> Result<(), Rule> {
    if stage.around.is_some_and(|around| !(facts.first..row).contains(&around.index())) {
        return Err(Rule::Around);
    }
    let depth = facts.depth(stage.around) + 1;
    if usize::from(depth) > limits::NESTING {
        return Err(Rule::Deep);
    }
    facts.depths.push(depth);
    register(function, stage.input)?;
    register(function, stage.output)?;
    // What is inside the stage around and no neighbour's belongs to the stage around so far.
    let id = u16::try_from(row).map(StageId).map_err(|_| Rule::TooManyRows)?;
    let homes = facts.homes.get_mut(span(stage.counters)).ok_or(Rule::CounterRange)?;
    for home in homes {
        if *home != stage.around {
            return Err(Rule::CounterRange);
        }
        *home = Some(id);
    }
    details(module, function, stage)
}

fn details(module: &Module, function: &Function, stage: &Stage) -> Result<(), Rule> {
    if let Some(handler) = stage.handler {
        let counted = handler.counter.is_none_or(|counter| counter.index() < function.counters.len());
        if stage.input.is_none() || handler.kinds.is_empty() || !handler.kinds.is_known() || !counted {
            return Err(Rule::Handler);
        }
    }
    match stage.chooser {
        Some(_) if stage.kind != StageKind::Select => return Err(Rule::Chooser),
        Some(chooser) if chooser.index() >= module.workers.len() => return Err(Rule::NoSuchRow),
        _ => {}
    }
    if stage.names.iter().any(|name| name.index() >= module.words.len()) {
        return Err(Rule::NoSuchRow);
    }
    Ok(())
}

fn steps(module: &Module, caller: usize, function: &Function) -> Result<(), VerifyError> {
    let rows = span(function.steps);
    for (row, step) in rows.clone().zip(module.steps.get(rows).unwrap_or(&[])) {
        self::step(module, caller, function, step).map_err(|rule| rule.in_row("steps", row))?;
    }
    Ok(())
}

fn step(module: &Module, caller: usize, function: &Function, step: &Step) -> Result<(), Rule> {
    if !span(function.stages).contains(&step.stage.index()) {
        return Err(Rule::StepStage);
    }
    for target in [Some(step.target), step.undo].into_iter().flatten() {
        match target {
            StepTarget::Worker(worker) if worker.index() >= module.workers.len() => return Err(Rule::NoSuchRow),
            StepTarget::Function(callee) if callee.index() >= module.functions.len() => return Err(Rule::NoSuchRow),
            StepTarget::Function(callee) if callee.index() <= caller => return Err(Rule::Callee),
            _ => {}
        }
    }
    register(function, step.input)?;
    register(function, step.output)?;
    if step.behaviours.iter().any(|behaviour| usize::from(*behaviour) >= module.behaviours.len()) {
        return Err(Rule::NoSuchRow);
    }
    ascending(module, &step.verdicts)
}
