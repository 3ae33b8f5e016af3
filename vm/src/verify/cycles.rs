//! Every cycle passes a budget: a counter that is counted on it and that no stage entered on it sets to zero.
//!
//! Strongly connected components, again and again: in each, arcs whose counter nothing in it resets are taken away, since
//! they can be passed only so often before the component is left; what is still cyclic then is looked at by itself. A round
//! peels one level of nesting, so the rounds are few; each is linear.

use super::VerifyError;
use super::shape::State;
use aivm_schema::isa::Instruction;
use aivm_schema::limits::NESTING;
use aivm_schema::module::{CounterId, Function, Module};

/// From one word to another, through a counter or not.
struct Arc {
    from: u32,
    to: u32,
    counter: Option<CounterId>,
}

pub(super) fn check(module: &Module, code: &[Instruction], function: &Function, states: &[Option<State>]) -> Result<(), VerifyError> {
    let mut arcs = arcs(module, code, function, states);
    // Only what leads back can close a cycle.
    if arcs.iter().all(|arc| arc.from < arc.to) {
        return Ok(());
    }
    let n = (function.end - function.entry) as usize;
    let mut uncounted = 0;
    for _ in 0..=NESTING {
        let component = components(n, &arcs);
        arcs.retain(|arc| component[arc.from as usize] == component[arc.to as usize]);
        if arcs.is_empty() {
            return Ok(());
        }
        let resets = resets(module, code, function, &component, n, &arcs);
        let before = arcs.len();
        arcs.retain(|arc| arc.counter.is_none_or(|counter| resets.contains(component[arc.from as usize], counter)));
        if arcs.len() == before {
            uncounted = arcs.iter().map(|arc| arc.from).min().unwrap_or(0);
            break;
        }
        uncounted = arcs.iter().map(|arc| arc.from).min().unwrap_or(0);
    }
    if arcs.is_empty() {
        return Ok(());
    }
    Err(VerifyError::Endless { pc: function.entry + uncounted })
}

/// Which counters are set to zero in which component: for each component that enters stages, a sorted list of ranges.
struct Resets {
    ranges: rustc_hash::FxHashMap<u32, Vec<(u16, u16)>>,
}

impl Resets {
    fn contains(&self, component: u32, counter: CounterId) -> bool {
        let Some(ranges) = self.ranges.get(&component) else { return false };
        // Ranges nest or are apart, and only the outermost are kept.
        let at = ranges.partition_point(|(first, _)| *first <= counter.0);
        at.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, end)| counter.0 < *end)
    }
}

fn resets(module: &Module, code: &[Instruction], function: &Function, component: &[u32], n: usize, arcs: &[Arc]) -> Resets {
    let mut cyclic = vec![false; n];
    for arc in arcs {
        cyclic[arc.from as usize] = true;
        cyclic[arc.to as usize] = true;
    }
    let mut ranges: rustc_hash::FxHashMap<u32, Vec<(u16, u16)>> = rustc_hash::FxHashMap::default();
    for at in (0..n).filter(|at| cyclic[*at]) {
        if let Some(Instruction::Enter { stage }) = code.get(function.entry as usize + at)
            && let Some(stage) = module.stages.get(stage.index())
            && stage.counters.1 > 0
        {
            let (first, count) = stage.counters;
            ranges.entry(component[at]).or_default().push((first, first.saturating_add(count)));
        }
    }
    for list in ranges.values_mut() {
        list.sort_unstable_by_key(|(first, end)| (*first, std::cmp::Reverse(*end)));
        let mut last = 0;
        list.retain(|(_, end)| {
            let outermost = *end > last;
            last = last.max(*end);
            outermost
        });
    }
    Resets { ranges }
}

/// Every way from one word to the next, among the words that something leads to.
fn arcs(module: &Module, code: &[Instruction], function: &Function, states: &[Option<State>]) -> Vec<Arc> {
    let mut arcs = Vec::with_capacity(states.len());
    let entry = function.entry;
    let word = |pc: u32| code.get(pc as usize).copied();
    for (at, _) in states.iter().enumerate().filter(|(_, state)| state.is_some()) {
        let pc = entry + at as u32;
        let mut arc = |target: u32, counter: Option<CounterId>| arcs.push(Arc { from: at as u32, to: target - entry, counter });
        let mut list = |first: u32| {
            let mut next = first;
            loop {
                match word(next).filter(|_| next < function.end) {
                    Some(Instruction::Edge { kind, counter, offset, .. }) => {
                        if offset > 0 && kind != aivm_schema::module::EdgeKind::Retry {
                            arc(next + u32::from(offset), counter);
                        }
                    }
                    Some(Instruction::Branch { target, .. }) => arc(target, None),
                    Some(Instruction::Option { counter, target }) => arc(target, Some(counter)),
                    _ => return,
                }
                next += 1;
            }
        };
        match word(pc) {
            Some(Instruction::Call { .. } | Instruction::Pick {}) => list(pc + 1),
            Some(Instruction::Map { item, .. }) => {
                list(pc + 1);
                arc(item, None);
            }
            Some(Instruction::Join { branches, .. }) => {
                list(pc + 1);
                arc(pc + 1 + u32::from(branches), None);
            }
            Some(Instruction::Choose { options, .. }) => {
                list(pc + 1);
                arc(pc + 1 + u32::from(options), None);
            }
            Some(Instruction::Enter { stage }) => {
                arc(pc + 1, None);
                if let Some(handler) = module.stages.get(stage.index()).and_then(|stage| stage.handler) {
                    arc(handler.target, handler.counter);
                }
            }
            Some(Instruction::Count { counter }) => arc(pc + 1, Some(counter)),
            Some(Instruction::Jump { target }) => arc(target, None),
            Some(Instruction::IfWord { target, .. } | Instruction::IfLast { target, .. } | Instruction::IfKind { target, .. }) => {
                arc(target, None);
                arc(pc + 1, None);
            }
            Some(Instruction::Leave { .. } | Instruction::Ref { .. } | Instruction::Gather { .. } | Instruction::Wait { .. }) => {
                arc(pc + 1, None);
            }
            _ => {}
        }
    }
    arcs
}

/// The strongly connected component of each node: Tarjan, with a stack of its own.
fn components(n: usize, arcs: &[Arc]) -> Vec<u32> {
    let mut first = vec![0u32; n + 1];
    for arc in arcs {
        first[arc.from as usize + 1] += 1;
    }
    for node in 0..n {
        first[node + 1] += first[node];
    }
    let mut fill = first.clone();
    let mut targets = vec![0u32; arcs.len()];
    for arc in arcs {
        let place = &mut fill[arc.from as usize];
        targets[*place as usize] = arc.to;
        *place += 1;
    }
    const NEW: u32 = u32::MAX;
    let (mut number, mut low, mut component) = (vec![NEW; n], vec![0u32; n], vec![NEW; n]);
    let mut stack: Vec<u32> = Vec::new();
    let mut work: Vec<(u32, u32)> = Vec::new();
    let (mut next, mut found) = (0u32, 0u32);
    for root in 0..n as u32 {
        if number[root as usize] != NEW || first[root as usize] == first[root as usize + 1] {
            continue;
        }
        work.push((root, first[root as usize]));
        while let Some((node, arc)) = work.pop() {
            let at = node as usize;
            if number[at] == NEW {
                (number[at], low[at]) = (next, next);
                next += 1;
                stack.push(node);
            }
            if arc < first[at + 1] {
                work.push((node, arc + 1));
                let to = targets[arc as usize] as usize;
                if number[to] == NEW {
                    work.push((to as u32, first[to]));
                } else if component[to] == NEW {
                    low[at] = low[at].min(number[to]);
                }
                continue;
            }
            if low[at] == number[at] {
                while let Some(member) = stack.pop() {
                    component[member as usize] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
            if let Some((parent, _)) = work.last() {
                let parent = *parent as usize;
                low[parent] = low[parent].min(low[at]);
            }
        }
    }
    // Nodes without arcs are components of their own.
    for place in component.iter_mut().filter(|place| **place == NEW) {
        *place = found;
        found += 1;
    }
    component
}
