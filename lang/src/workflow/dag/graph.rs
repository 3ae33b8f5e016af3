//! Who waits for whom: `needs` as a graph, and what is wrong with it.

use super::keys::{Named, Step, Workflow};
use crate::diagnostic::{Code, Diagnostic};
use crate::flow::cycles::components;
use crate::lower::nearest;
use crate::tables::Tables;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// So many steps of a circle are told: nobody reads more.
const MOST_SHOWN: usize = 8;

/// For each step the steps that it needs, in the order in which they are written.
pub(super) fn needs(tables: &mut Tables, workflow: &Workflow) -> Vec<Vec<usize>> {
    let steps = &workflow.steps;
    let names: FxHashMap<&str, usize> = steps.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
    let mut needs = Vec::with_capacity(steps.len());
    for step in steps {
        let mut own = Vec::with_capacity(step.it.needs.len());
        let mut said = FxHashSet::default();
        for need in &step.it.needs {
            let span = tables.span(need.span());
            if !said.insert(need.get_ref()) {
                tables.wrong(need.span(), format!("`{}` needs `{}` twice", step.name, need.get_ref()));
                continue;
            }
            if let Some(at) = names.get(need.get_ref().as_str()) {
                own.push(*at);
                continue;
            }
            if workflow.hides("steps") {
                continue;
            }
            let message = format!("`{}` needs `{}`, and no step has this name", step.name, need.get_ref());
            let diagnostic = Diagnostic::new(Code::UnknownNeed, span, message);
            tables.report(match nearest(need.get_ref(), names.keys().copied()) {
                Some(near) => diagnostic.fix(format!("did you mean `{near}`?"), vec![(span, format!("{near:?}"))]),
                None => diagnostic,
            });
        }
        needs.push(own);
    }
    tell_cycles(tables, steps, &needs);
    needs
}

/// Steps that need each other in a circle would wait for ever: each circle is told once, as the way around it.
fn tell_cycles(tables: &mut Tables, steps: &[Named<Step>], needs: &[Vec<usize>]) {
    let edges: Vec<(u32, u32)> = needs
        .iter()
        .enumerate()
        .flat_map(|(at, needs)| needs.iter().map(move |need| (at as u32, *need as u32)))
        .collect();
    let (component, cyclic) = components(steps.len(), &edges, &vec![false; steps.len()]);
    let mut told = FxHashSet::default();
    for (start, step) in steps.iter().enumerate() {
        if !cyclic[start] || !told.insert(component[start]) {
            continue;
        }
        let way = around(start, needs, |at| component[at] == component[start]);
        let shown = way.iter().take(MOST_SHOWN).map(|at| steps[*at].name.as_str());
        let left_out = (way.len() > MOST_SHOWN + 1).then_some("…");
        let last = way.get(MOST_SHOWN..).and_then(|rest| rest.last()).map(|at| steps[*at].name.as_str());
        let names: Vec<&str> = shown.chain(left_out).chain(last).collect();
        let mut diagnostic =
            Diagnostic::new(Code::NeedCycle, step.span, format!("these steps need each other: {}", names.join(" → ")))
                .reason("a step begins when all that it needs have ended, so none of them would ever begin")
                .help("drop one of these `needs`");
        for pair in way.windows(2).take(MOST_SHOWN) {
            let [from, to] = [&steps[pair[0]], &steps[pair[1]]];
            if let Some(need) = from.it.needs.iter().find(|need| *need.get_ref() == to.name) {
                diagnostic = diagnostic.label(tables.span(need.span()), format!("`{}` needs it", from.name));
            }
        }
        tables.report(diagnostic);
    }
}

/// The shortest way from a step back to itself, both ends included.
fn around(start: usize, needs: &[Vec<usize>], inside: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut came_from: FxHashMap<usize, usize> = FxHashMap::default();
    let mut open = VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for &need in needs[at].iter().filter(|need| inside(**need)) {
            if need == start {
                let back = std::iter::successors(Some(at), |at| came_from.get(at).copied());
                let mut way: Vec<usize> = std::iter::once(start).chain(back).collect();
                way.reverse();
                return way;
            }
            if let std::collections::hash_map::Entry::Vacant(new) = came_from.entry(need) {
                new.insert(at);
                open.push_back(need);
            }
        }
    }
    vec![start]
}
