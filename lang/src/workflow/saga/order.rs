//! The order of steps: the first in the file whose dependencies are complete, again and again.

use super::read::Reader;
use super::spec::{Kind, Named};
use crate::diagnostic::{Code, Diagnostic};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// So many steps of a cycle are told: nobody reads more.
const MOST_SHOWN: usize = 8;

/// Steps in the order in which they run; several that stand in one list run at the same time.
pub(super) type Order<'s> = Vec<Vec<&'s Named>>;

/// What is wrong with the dependencies is told, and the order is then not to be used.
pub(super) fn order<'s>(reader: &mut Reader, steps: &'s [Named]) -> Order<'s> {
    let forward: Vec<&Named> = steps.iter().filter(|step| step.step.step_type != Kind::Compensation).collect();
    let at: FxHashMap<&str, usize> = forward.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
    let mut waits_for: Vec<Vec<usize>> = vec![Vec::new(); forward.len()];
    let mut waited_for: Vec<Vec<usize>> = vec![Vec::new(); forward.len()];
    for (nth, step) in forward.iter().enumerate() {
        for name in &step.step.depends_on {
            match at.get(name.get_ref().as_str()) {
                Some(other) => {
                    waits_for[nth].push(*other);
                    waited_for[*other].push(nth);
                }
                None if steps.iter().any(|other| other.name == *name.get_ref()) => {
                    let message =
                        format!("`{}` depends on `{}`, which is of type COMPENSATION", step.name, name.get_ref());
                    let never = Diagnostic::new(Code::Saga, reader.tables.span(name.span()), message);
                    let reason = "a step of this type runs only when what it takes back is taken back";
                    reader.tables.report(never.reason(reason).help("depend on a step that runs by itself"));
                }
                None if reader.is_a_step(name.get_ref()) => {
                    let message =
                        format!("`{}` depends on `{}`, which does not stand beside it", step.name, name.get_ref());
                    let elsewhere = Diagnostic::new(Code::Saga, reader.tables.span(name.span()), message)
                        .reason("a step depends on steps of the list that it stands in itself");
                    reader.tables.report(
                        elsewhere.help("depend on the step around the other one, or let both stand in one list"),
                    );
                }
                None => {
                    let message = format!("`{}` depends on unknown step `{}`", step.name, name.get_ref());
                    reader.unknown_step(Code::UnknownNeed, name, message);
                }
            }
        }
    }
    let mut left: Vec<usize> = waits_for.iter().map(Vec::len).collect();
    let mut ready: BinaryHeap<Reverse<usize>> =
        left.iter().enumerate().filter(|(_, left)| **left == 0).map(|(nth, _)| Reverse(nth)).collect();
    let mut order: Order = Vec::new();
    let is_parallel = |nth: usize| forward[nth].step.step_type == Kind::Parallel && forward[nth].steps.is_empty();
    while let Some(Reverse(first)) = ready.pop() {
        // All that are parallel and can run now run together.
        let (together, rest): (Vec<usize>, Vec<usize>) = match is_parallel(first) {
            true => std::mem::take(&mut ready)
                .into_sorted_vec()
                .iter()
                .rev()
                .map(|nth| nth.0)
                .partition(|nth| is_parallel(*nth)),
            false => (Vec::new(), Vec::new()),
        };
        ready.extend(rest.into_iter().map(Reverse));
        let group: Vec<usize> = std::iter::once(first).chain(together).collect();
        for other in group.iter().flat_map(|nth| &waited_for[*nth]) {
            left[*other] -= 1;
            if left[*other] == 0 {
                ready.push(Reverse(*other));
            }
        }
        order.push(group.into_iter().map(|nth| forward[nth]).collect());
    }
    if let Some(stuck) = (0..forward.len()).find(|nth| left[*nth] > 0) {
        tell_cycle(reader, &forward, &waits_for, &left, stuck);
    }
    order
}

/// Whoever is stuck waits for somebody who is: following them comes round.
fn tell_cycle(reader: &mut Reader, steps: &[&Named], waits_for: &[Vec<usize>], left: &[usize], stuck: usize) {
    let mut path = vec![stuck];
    let cycle = loop {
        let last = path[path.len() - 1];
        let Some(next) = waits_for[last].iter().copied().find(|other| left[*other] > 0) else { return };
        if let Some(from) = path.iter().position(|nth| *nth == next) {
            break &path[from..];
        }
        path.push(next);
    };
    let name = |nth: &usize| steps[*nth].name.as_str();
    let shown = cycle.iter().take(MOST_SHOWN).map(name);
    let left_out = (cycle.len() > MOST_SHOWN).then_some("…");
    let names: Vec<&str> = shown.chain(left_out).chain(cycle.first().map(name)).collect();
    let span = cycle.first().map(|nth| steps[*nth].span).unwrap_or_default();
    let message = format!("steps depend on each other: `{}`", names.join("` → `"));
    reader.tables.report(
        Diagnostic::new(Code::NeedCycle, span, message)
            .reason("a step runs when all that it depends on are complete, and none of these would ever be"),
    );
}
