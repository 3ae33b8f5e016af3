//! Callers before the called: the order that proves a program free of recursion.

use super::{Flow, Function, FunctionId, Inside, StepId, Target};
use aivm_schema::limits::CALLS_DEEP;

/// The functions, each before those that it calls (undoers count as called); or the steps of a cycle.
pub fn callers_first(flow: &Flow) -> Result<Vec<FunctionId>, Vec<StepId>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; flow.functions.len()];
    let mut after = Vec::with_capacity(flow.functions.len());
    for root in 0..flow.functions.len() as u32 {
        if state[root as usize] != State::New {
            continue;
        }
        // The function, the next of its steps to look at, and the step that called it.
        let mut work = vec![(root, flow.functions[root as usize].steps.0, None::<StepId>)];
        state[root as usize] = State::Open;
        while let Some((function, step, via)) = work.pop() {
            if step >= flow.functions[function as usize].steps.1 {
                state[function as usize] = State::Done;
                after.push(FunctionId(function));
                continue;
            }
            let id = StepId(step);
            let called = [Some(flow.step(id).target), flow.step(id).undo];
            let mut new = None;
            for target in called.into_iter().flatten() {
                let Target::Function(callee) = target else { continue };
                match state.get(callee.index()) {
                    Some(State::Open) => {
                        let start = work.iter().position(|(open, ..)| *open == callee.0).unwrap_or(work.len());
                        let mut cycle: Vec<StepId> = work.iter().skip(start + 1).filter_map(|(.., via)| *via).collect();
                        cycle.extend(via.filter(|_| callee.0 != function));
                        cycle.push(id);
                        return Err(cycle);
                    }
                    Some(State::New) => new = new.or(Some(callee)),
                    Some(State::Done) | None => {}
                }
            }
            // One at a time: only what is being called may stand open.
            let Some(callee) = new else {
                work.push((function, step + 1, via));
                continue;
            };
            work.push((function, step, via));
            state[callee.index()] = State::Open;
            work.push((callee.0, flow.function(callee).steps.0, Some(id)));
        }
    }
    after.reverse();
    // The program is called by nobody, so it can stand first.
    after.sort_by_key(|function| function.0 != 0);
    Ok(after)
}

/// A step whose call, with those around it, is deeper than calls may be. Callers must stand before the called.
pub fn too_deep(flow: &Flow) -> Option<StepId> {
    let mut depth = vec![1; flow.functions.len()];
    for (caller, function) in flow.functions.iter().enumerate() {
        for id in (function.steps.0..function.steps.1).map(StepId) {
            for target in [Some(flow.step(id).target), flow.step(id).undo].into_iter().flatten() {
                let Target::Function(callee) = target else { continue };
                let deeper = depth[caller] + 1;
                if deeper > CALLS_DEEP {
                    return Some(id);
                }
                depth[callee.index()] = deeper.max(depth[callee.index()]);
            }
        }
    }
    None
}

/// Puts the functions into `order`, and renames them everywhere.
pub fn reorder(flow: &mut Flow, order: &[FunctionId]) {
    let mut renamed = vec![FunctionId(0); order.len()];
    for (new, old) in order.iter().enumerate() {
        renamed[old.index()] = FunctionId(new as u32);
    }
    let mut functions: Vec<Option<Function>> = std::mem::take(&mut flow.functions).into_iter().map(Some).collect();
    flow.functions = order.iter().filter_map(|old| functions[old.index()].take()).collect();
    for chain in &mut flow.chains {
        if let Inside::Function(function) = &mut chain.inside {
            *function = renamed[function.index()];
        }
    }
    for stage in &mut flow.stages {
        stage.function = renamed[stage.function.index()];
    }
    for step in &mut flow.steps {
        for target in [Some(&mut step.target), step.undo.as_mut()].into_iter().flatten() {
            if let Target::Function(function) = target {
                *function = renamed[function.index()];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;
    use crate::library::Shelf;

    /// Definitions that call each other, so many deep with the program.
    fn nested(deep: usize) -> String {
        let mut text = String::new();
        for n in 2..deep {
            text.push_str(&format!("d{n} <= ( switch <= ( d{} => send ) )\n", n + 1));
        }
        text + &format!("d{deep} <= ( switch <= ( x => send ) )\nout <= ( switch <= ( d2 => send ) ) <= in\n")
    }

    #[test]
    fn calls_are_nested_so_deep_and_no_deeper() {
        let shelf = Shelf { anything: true, ..Shelf::default() };
        let codes = |deep| {
            crate::compile("x.aivm", &nested(deep), &shelf)
                .map_or_else(|errors| errors.iter().map(|error| error.code).collect(), |_| Vec::new())
        };
        assert_eq!(codes(super::CALLS_DEEP), []);
        assert_eq!(codes(super::CALLS_DEEP + 1), [Code::CallsTooDeep]);
    }
}
