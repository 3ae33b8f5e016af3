//! What a finished run did, call by call: step keys become steps of the flow graph, also inside definitions.

use crate::flow::*;
use rustc_hash::FxHashMap;

/// The path that a run took.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// How the run ended: `sent`, `cancelled`, `failed`, `timeout`, `parked`.
    pub ended: Option<String>,
    /// How often each step was visited.
    pub(super) visits: FxHashMap<StepId, u32>,
    /// How often each outcome of a step was taken, by its place in [`Step::outcomes`].
    pub(super) outcomes: FxHashMap<(StepId, u32), u32>,
    /// How often each step's undoer did its work.
    pub(super) undone: FxHashMap<StepId, u32>,
    /// How often each definition was called.
    pub(super) calls: FxHashMap<FunctionId, u32>,
}

impl Path {
    /// The path of a run that ended so, from its calls: the key of each, and the outcome that followed.
    pub fn of<'a>(flow: &Flow, ended: &str, calls: impl IntoIterator<Item = (&'a str, &'a str)>) -> Path {
        let mut steps: FxHashMap<(FunctionId, String), StepId> = FxHashMap::default();
        for (at, step) in flow.steps.iter().enumerate() {
            let stage = flow.stage(step.stage);
            steps.entry((stage.function, format!("{}/{}", stage.key, step.name))).or_insert(StepId(at as u32));
        }
        let mut path = Path { ended: Some(ended.to_owned()), ..Path::default() };
        for (key, outcome) in calls {
            if let Some(place) = Place::of(flow, &steps, key) {
                path.add(flow, place, outcome);
            }
        }
        path
    }

    fn add(&mut self, flow: &Flow, place: Place, outcome: &str) {
        let step = flow.step(place.step);
        if place.undo {
            *self.undone.entry(place.step).or_default() += u32::from(outcome == "undone");
            return;
        }
        if let Target::Function(function) = step.target
            && place.item == step.each
        {
            *self.calls.entry(function).or_default() += 1;
        }
        if place.item {
            return;
        }
        // A retry is no visit.
        *self.visits.entry(place.step).or_default() += u32::from(outcome != "retry");
        if let Some(at) = step.outcomes.iter().position(|known| known.word(flow) == outcome) {
            *self.outcomes.entry((place.step, at as u32)).or_default() += 1;
        }
    }
}

/// What a step key names.
#[derive(Clone, Copy)]
struct Place {
    step: StepId,
    item: bool,
    undo: bool,
}

impl Place {
    /// `inbox/triage#1[0]/switch.1/rules#1`: callers first, each ending in its counts. None for a chooser, and for a stranger.
    fn of(flow: &Flow, steps: &FxHashMap<(FunctionId, String), StepId>, key: &str) -> Option<Place> {
        let mut function = FunctionId(0);
        let mut rest = key;
        loop {
            let (path, counts) = rest.split_once('#')?;
            let step = *steps.get(&(function, path.to_owned()))?;
            let (counts, inner) = match counts.split_once('/') {
                Some((counts, inner)) => (counts, Some(inner)),
                None => (counts, None),
            };
            let undo = counts.ends_with("~undo");
            let Some(inner) = inner else {
                return Some(Place { step, item: counts.contains('['), undo });
            };
            let called = if undo { flow.step(step).undo? } else { flow.step(step).target };
            let Target::Function(callee) = called else { return None };
            (function, rest) = (callee, inner);
        }
    }
}
