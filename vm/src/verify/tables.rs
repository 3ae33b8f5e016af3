//! The tables beside the code: indices in range, functions that tile them, names that are names.

use super::VerifyError;
use aivm_schema::module::{Function, INPUT, Module, RegisterId, StageKind, StepTarget, WordId};
use aivm_schema::word::is_word;

/// The longest key or name, in bytes.
const LONGEST: usize = 4_096;

pub(super) fn check(module: &Module) -> Result<(), VerifyError> {
    let table = |table, row, reason| Err(VerifyError::Table { table, row, reason });
    for (row, word) in module.words.iter().enumerate() {
        let numeral = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let second = word.rsplit_once('.').is_some_and(|(word, nth)| is_word(word) && nth.parse::<u32>().is_ok());
        if word.len() > LONGEST || !(is_word(word) || numeral || second) {
            return table("words", row, "not a word");
        }
    }
    functions(module)?;
    for (row, worker) in module.workers.iter().enumerate() {
        if !name_is_fine(&worker.name) {
            return table("workers", row, "not a name");
        }
    }
    for (row, behaviour) in module.behaviours.iter().enumerate() {
        if !name_is_fine(&behaviour.name) {
            return table("behaviours", row, "not a name");
        }
    }
    for (at, function) in module.functions.iter().enumerate() {
        stages(module, function)?;
        steps(module, at, function)?;
    }
    Ok(())
}

fn name_is_fine(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control)
}

fn functions(module: &Module) -> Result<(), VerifyError> {
    let table = |row, reason| Err(VerifyError::Table { table: "functions", row, reason });
    if module.functions.is_empty() {
        return table(0, "there is no program");
    }
    let (mut code, mut stages, mut steps) = (0, 0usize, 0usize);
    for (row, function) in module.functions.iter().enumerate() {
        if function.entry != code || function.end <= function.entry {
            return table(row, "functions lie one behind the other and are not empty");
        }
        if usize::from(function.stages.0) != stages || usize::from(function.steps.0) != steps {
            return table(row, "its stages and steps do not follow those of the function before");
        }
        if function.registers == 0 {
            return table(row, "it has no register for its input");
        }
        if function.counters.len() >= usize::from(u16::MAX) || function.counters.contains(&0) {
            return table(row, "a counter allows nothing");
        }
        if !ascending(&function.verdicts, module) {
            return table(row, "its verdicts are not ascending words");
        }
        if !name_is_fine(&function.name) {
            return table(row, "not a name");
        }
        code = function.end;
        stages += usize::from(function.stages.1);
        steps += usize::from(function.steps.1);
    }
    if code as usize != module.code.len() || stages != module.stages.len() || steps != module.steps.len() {
        return table(module.functions.len() - 1, "code, stages or steps belong to no function");
    }
    Ok(())
}

fn ascending(words: &[WordId], module: &Module) -> bool {
    words.windows(2).all(|pair| pair[0] < pair[1]) && words.iter().all(|word| word.index() < module.words.len())
}

fn stages(module: &Module, function: &Function) -> Result<(), VerifyError> {
    let first = usize::from(function.stages.0);
    let register_is_fine = |register: Option<RegisterId>| {
        register.is_none_or(|register| register != INPUT && register.0 < function.registers)
    };
    for row in first..first + usize::from(function.stages.1) {
        let stage = &module.stages[row];
        let error = |reason| Err(VerifyError::Table { table: "stages", row, reason });
        let around = match stage.around {
            Some(around) if around.index() < first || around.index() >= row => {
                return error("the stage around it is not before it in the same function");
            }
            Some(around) => Some(&module.stages[around.index()]),
            None => None,
        };
        if !name_is_fine(&stage.key) {
            return error("its key is not a name");
        }
        if !register_is_fine(stage.input) || !register_is_fine(stage.output) {
            return error("a register is out of range, or the function's input");
        }
        let counters = usize::from(stage.counters.0)..usize::from(stage.counters.0) + usize::from(stage.counters.1);
        if counters.end > function.counters.len() {
            return error("its counters are out of range");
        }
        let outer = around.map(|around| usize::from(around.counters.0)..usize::from(around.counters.0) + usize::from(around.counters.1));
        if outer.is_some_and(|outer| !counters.is_empty() && (counters.start < outer.start || counters.end > outer.end)) {
            return error("its counters are not inside those of the stage around");
        }
        if let Some(handler) = stage.handler {
            let counter_is_fine = handler.counter.is_none_or(|counter| {
                counter.index() < function.counters.len() && !counters.contains(&counter.index())
            });
            if stage.input.is_none() || handler.kinds.is_empty() || handler.kinds.0 > 15 || !counter_is_fine {
                return error("its handler catches nothing, or lacks what it needs");
            }
        }
        if stage.chooser.is_some_and(|chooser| stage.kind != StageKind::Select || chooser.index() >= module.workers.len()) {
            return error("its chooser is no worker, or it is no select");
        }
        if stage.names.iter().any(|name| name.index() >= module.words.len()) {
            return error("a name is no word");
        }
    }
    Ok(())
}

fn steps(module: &Module, at: usize, function: &Function) -> Result<(), VerifyError> {
    let first = usize::from(function.steps.0);
    let stages = usize::from(function.stages.0)..usize::from(function.stages.0) + usize::from(function.stages.1);
    for row in first..first + usize::from(function.steps.1) {
        let step = &module.steps[row];
        let error = |reason| Err(VerifyError::Table { table: "steps", row, reason });
        if !stages.contains(&step.stage.index()) {
            return error("its stage is not of the same function");
        }
        if !name_is_fine(&step.name) {
            return error("not a name");
        }
        for target in [Some(step.target), step.undo].into_iter().flatten() {
            let fine = match target {
                StepTarget::Worker(worker) => worker.index() < module.workers.len(),
                // Only forwards: calls form no cycle.
                StepTarget::Function(callee) => callee.index() > at && callee.index() < module.functions.len(),
            };
            if !fine {
                return error("what it calls is not there, or would call back");
            }
        }
        let registers = [step.input, step.output].into_iter().flatten();
        if registers.into_iter().any(|register| register == INPUT || register.0 >= function.registers) {
            return error("a register is out of range, or the function's input");
        }
        if step.behaviours.iter().any(|behaviour| usize::from(*behaviour) >= module.behaviours.len()) {
            return error("a behaviour is not there");
        }
        if !ascending(&step.verdicts, module) {
            return error("its verdicts are not ascending words");
        }
    }
    Ok(())
}
