//! Fills in jumps and references that the language allows, and takes away what the evaluator leaves out.

use crate::dice::Dice;
use crate::program::{Chain, Element, Program, Stage, Then};

/// A stage on the way to a place, and which element or arm of it the place is in.
#[derive(Clone, Copy, PartialEq)]
struct Around {
    id: usize,
    join: bool,
    element: usize,
}

/// A labelled stage.
struct Target {
    id: usize,
    label: String,
    join: bool,
    path: Vec<Around>,
    /// The last of its chain.
    last: bool,
    /// The first step of each name.
    steps: Vec<(String, usize)>,
}

pub fn fill(program: &mut Program, dice: &mut Dice) {
    let mut concurrent: Vec<(String, bool)> = Vec::new();
    let definitions = program.definitions.iter_mut().map(|(name, chain)| (name.clone(), chain));
    for (name, chain) in definitions.chain([("out".to_owned(), &mut program.body)]) {
        let mut targets = Vec::new();
        find(chain, &mut Vec::new(), &mut targets);
        let rank = dice.next();
        write(chain, &mut Vec::new(), &targets, rank, dice);
        let is = chain.iter_mut().map(|stage| unbudget(stage, &concurrent)).filter(|is| *is).count() > 0;
        concurrent.push((name, is));
    }
}

fn find(chain: &Chain, path: &mut Vec<Around>, targets: &mut Vec<Target>) {
    for (at, stage) in chain.iter().enumerate() {
        if stage.labelled {
            let mut steps: Vec<(String, usize)> = Vec::new();
            for (at, element) in stage.elements.iter().enumerate() {
                if let Element::Step(step) = element
                    && !steps.iter().any(|(name, _)| *name == step.worker)
                {
                    steps.push((step.worker.clone(), at));
                }
            }
            let (label, path) = (stage.label.clone(), path.clone());
            let last = at + 1 == chain.len();
            targets.push(Target { id: stage.id, label, join: stage.kind == "join", path, last, steps });
        }
        for (element, chain) in inner(stage) {
            path.push(Around { id: stage.id, join: stage.kind == "join", element });
            find(chain, path, targets);
            path.pop();
        }
    }
}

fn inner(stage: &Stage) -> Vec<(usize, &Chain)> {
    let elements = stage.elements.iter().enumerate().filter_map(|(at, element)| match element {
        Element::Chain(chain) => Some((at, chain)),
        Element::Step(_) => None,
    });
    let arms = stage.arms.iter().enumerate().filter_map(|(at, arm)| match &arm.then {
        Then::Chain(chain) => Some((at, chain)),
        Then::Ends(_) => None,
    });
    elements.chain(arms).collect()
}

fn write(chain: &mut Chain, path: &mut Vec<Around>, targets: &[Target], rank: u64, dice: &mut Dice) {
    for stage in chain {
        let (id, join) = (stage.id, stage.kind == "join");
        for (element, what) in stage.elements.iter_mut().enumerate() {
            path.push(Around { id, join, element });
            match what {
                Element::Step(step) => {
                    let each = step.refs.first().is_some_and(|first| first == "each");
                    // Where calls are concurrent, mostly what has run for sure: what fails at once makes ties.
                    let sure = path.iter().any(|around| around.join) && dice.chance(80);
                    let known = refs(path, targets, rank, sure, dice.chance(70));
                    let count = step.refs.len();
                    step.refs.clear();
                    for _ in 0..count {
                        let reference = dice.pick(&known).clone();
                        step.refs.push(if each { format!("{reference}.*") } else { reference });
                    }
                    replace_jumps(&mut step.outcomes, path, targets, dice);
                    if step.outcomes.is_empty() {
                        step.outcomes.push("next".into());
                    }
                }
                Element::Chain(chain) => write(chain, path, targets, rank, dice),
            }
            path.pop();
        }
        for (element, arm) in stage.arms.iter_mut().enumerate() {
            path.push(Around { id, join, element });
            match &mut arm.then {
                Then::Ends(ends) => {
                    replace_jumps(ends, path, targets, dice);
                    if ends.is_empty() {
                        ends.push("send".into());
                    }
                }
                Then::Chain(chain) => write(chain, path, targets, rank, dice),
            }
            path.pop();
        }
    }
}

fn replace_jumps(outcomes: &mut Vec<String>, path: &[Around], targets: &[Target], dice: &mut Dice) {
    let known = jumps(path, targets);
    let mut words: Vec<String> = Vec::new();
    outcomes.retain_mut(|outcome| {
        if outcome != "jump" {
            return true;
        }
        if known.is_empty() {
            return false;
        }
        let (jump, word) = dice.pick(&known).clone();
        *outcome = jump;
        let new = !words.contains(&word);
        words.push(word);
        new
    });
}

/// How many stages two places have around both.
fn shared(a: &[Around], b: &[Around]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a.id == b.id).count()
}

/// The jumps that are allowed from a place, with their words.
fn jumps(from: &[Around], targets: &[Target]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for target in targets {
        let whole = (target.path.clone(), format!("[{}.jump]", target.label), target.label.clone());
        let steps = target.steps.iter().map(|(name, element)| {
            let mut path = target.path.clone();
            path.push(Around { id: target.id, join: target.join, element: *element });
            (path, format!("[{}.{name}.jump]", target.label), name.clone())
        });
        for (to, text, word) in [whole].into_iter().chain(steps) {
            let common = shared(from, &to);
            let crosses = from[common..].iter().chain(&to[common..]).any(|around| around.join);
            let sideways = common > 0 && from[common - 1].join && from[common - 1].element != to[common - 1].element;
            if !crosses && !sideways {
                found.push((text, word));
            }
        }
    }
    found
}

/// The references that are allowed at a place; siblings wait only for those of lower rank, so in no circle.
fn refs(at: &[Around], targets: &[Target], rank: u64, sure: bool, likely: bool) -> Vec<String> {
    let mut found = vec!["in".to_owned(); 4];
    let rank_of = |element: usize| Dice::new(rank ^ element as u64).next();
    for target in targets {
        for (element, name) in [(None, String::new())]
            .into_iter()
            .chain(target.steps.iter().map(|(name, at)| (Some(*at), format!(".{name}"))))
        {
            let mut to = target.path.clone();
            to.extend(element.map(|element| Around { id: target.id, join: target.join, element }));
            let common = shared(at, &to);
            let own = common > 0 && at[common - 1].id == target.id && at[common - 1].element == to[common - 1].element;
            let sibling = common > 0 && at[common - 1].join && at[common - 1].element != to[common - 1].element;
            let in_join = common > 0 && at[common - 1].join;
            if in_join && own && element.is_some() {
                continue;
            }
            if !sibling && sure {
                if at.iter().any(|around| around.id == target.id) && element.is_none() {
                    found.push(format!("{}.in", target.label));
                }
                continue;
            }
            let here = at[at.len() - 1];
            let before = target.id < here.id || target.id == here.id && element.is_some_and(|at| at < here.element);
            if !sibling && (before || !likely) {
                found.push(format!("{}{name}.in", target.label));
                found.push(format!("{}{name}.out", target.label));
            }
            if !sibling {
                continue;
            }
            let direct = match element {
                Some(_) => to.len() == common,
                None => to.len() == common && target.last,
            };
            if direct && rank_of(to[common - 1].element) < rank_of(at[common - 1].element) {
                // Likelier than others.
                for _ in 0..4 {
                    found.push(format!("{}{name}.out", target.label));
                }
            }
        }
    }
    found
}

/// Takes budgets away from what runs concurrent calls. Does this stage?
fn unbudget(stage: &mut Stage, known: &[(String, bool)]) -> bool {
    let calls = |worker: &String| known.iter().any(|(name, is)| name == worker && *is);
    let mut concurrent = stage.kind == "join";
    for element in &mut stage.elements {
        match element {
            Element::Step(step) => {
                let is = step.refs.iter().any(|reference| reference.ends_with(".*"))
                    || calls(&step.worker)
                    || step.undo.as_ref().is_some_and(calls);
                if is {
                    step.limits.retain(|limit| !is_budget(limit));
                }
                concurrent |= is;
            }
            Element::Chain(chain) => {
                for stage in chain {
                    concurrent |= unbudget(stage, known);
                }
            }
        }
    }
    for arm in &mut stage.arms {
        if let Then::Chain(chain) = &mut arm.then {
            for stage in chain {
                concurrent |= unbudget(stage, known);
            }
        }
    }
    if concurrent {
        stage.limits.retain(|limit| !is_budget(limit));
    }
    concurrent
}

fn is_budget(limit: &str) -> bool {
    limit.starts_with('$') || limit.ends_with("kt")
}
