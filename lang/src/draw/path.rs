//! What a finished run did, call by call: step keys become steps of the flow graph, also inside definitions.

use super::labels;
use crate::flow::*;
use aivm_schema::module::StageKind;
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
    /// How often the chooser of each select was called.
    pub(super) choices: FxHashMap<StageId, u32>,
    /// Of each step whose last call ended its stage, how.
    pub(super) fates: FxHashMap<StepId, Fate>,
    /// Where whoever looks stands.
    pub(super) now: Option<Now>,
}

/// One call of a run, as what of the picture shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    Step(StepId),
    Undoer(StepId),
    Chooser(StageId),
}

/// How a step's last call ended its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It failed, was exhausted, or took too long.
    Failed,
    /// What it stood in was cancelled while it was called.
    Cancelled,
}

impl Fate {
    fn of(outcome: &str) -> Option<Fate> {
        match outcome {
            "failed" | "exhausted" | "timeout" => Some(Fate::Failed),
            "cancelled" => Some(Fate::Cancelled),
            _ => None,
        }
    }
}

impl Path {
    /// The path of a run that ended so, from its calls: the key of each, and the outcome that followed.
    pub fn of<'a>(flow: &Flow, ended: &str, calls: impl IntoIterator<Item = (&'a str, &'a str)>) -> Path {
        let keys = keys(flow);
        let mut path = Path { ended: Some(ended.to_owned()), ..Path::default() };
        // The steps that the run ended by: the last calls, as long as they end something.
        let mut enders: Vec<StepId> = Vec::new();
        for (key, outcome) in calls {
            match Place::of(flow, &keys, key) {
                Some(Ok(place)) => {
                    path.add(flow, place, outcome);
                    match (place.undo, outcome) {
                        (true, _) | (_, "cancelled") => {}
                        (_, "cancel" | "failed" | "exhausted" | "timeout") => enders.push(place.step),
                        _ => enders.clear(),
                    }
                }
                Some(Err(select)) => *path.choices.entry(select).or_default() += 1,
                None => {}
            }
        }
        // A `cancel` that was chosen ends a run `cancelled`: these were taken because something failed.
        if ["failed", "timeout"].contains(&ended) {
            path.fates.extend(enders.into_iter().map(|step| (step, Fate::Failed)));
        }
        path
    }

    /// Marks what the call of this key is made by: it has the class `now` in the picture, for those who show it.
    pub fn stand_at(&mut self, flow: &Flow, key: &str) {
        self.now = Place::of(flow, &keys(flow), key).map(|place| match place {
            Ok(Place { step, undo: true, .. }) => Now::Undoer(step),
            Ok(Place { step, .. }) => Now::Step(step),
            Err(select) => Now::Chooser(select),
        });
    }

    fn add(&mut self, flow: &Flow, place: Place, outcome: &str) {
        let step = flow.step(place.step);
        if place.undo {
            *self.undone.entry(place.step).or_default() += u32::from(outcome == "undone");
            return;
        }
        match Fate::of(outcome) {
            Some(fate) => _ = self.fates.insert(place.step, fate),
            None => _ = self.fates.remove(&place.step),
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

/// The steps of each function by their keys, and its selects by theirs.
type Keys = FxHashMap<(FunctionId, String), Result<StepId, StageId>>;

fn keys(flow: &Flow) -> Keys {
    let mut keys: Keys = FxHashMap::default();
    for (at, step) in flow.steps.iter().enumerate() {
        let function = flow.stage(step.stage).function;
        keys.entry((function, labels::key(flow, step))).or_insert(Ok(StepId(at as u32)));
    }
    for (at, stage) in flow.stages.iter().enumerate().filter(|(_, stage)| stage.kind == StageKind::Select) {
        keys.entry((stage.function, stage.key.clone())).or_insert(Err(StageId(at as u32)));
    }
    keys
}

/// The steps, and the selects that choose, that these step keys name; strangers are passed over.
pub(super) fn named<'k>(flow: &Flow, named: impl IntoIterator<Item = &'k str>) -> Vec<Result<StepId, StageId>> {
    let keys = keys(flow);
    let places = named.into_iter().filter_map(|key| Place::of(flow, &keys, key));
    places.map(|place| place.map(|place| place.step)).collect()
}

/// What a step key names.
#[derive(Clone, Copy)]
struct Place {
    step: StepId,
    item: bool,
    undo: bool,
}

impl Place {
    /// `inbox/triage#1[0]/switch.1/rules#1`: callers first, each ending in its counts. A chooser's is its select's; none for a stranger.
    fn of(flow: &Flow, keys: &Keys, key: &str) -> Option<Result<Place, StageId>> {
        let mut function = FunctionId(0);
        let mut rest = key;
        loop {
            let (path, counts) = rest.split_once('#')?;
            let step = match *keys.get(&(function, path.to_owned()))? {
                Ok(step) => step,
                Err(select) => return Some(Err(select)),
            };
            let (counts, inner) = match counts.split_once('/') {
                Some((counts, inner)) => (counts, Some(inner)),
                None => (counts, None),
            };
            let undo = counts.ends_with("~undo");
            let Some(inner) = inner else {
                return Some(Ok(Place { step, item: counts.contains('['), undo }));
            };
            let called = if undo { flow.step(step).undo? } else { flow.step(step).target };
            let Target::Function(callee) = called else { return None };
            (function, rest) = (callee, inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::{Theme, svg};
    use crate::library::Shelf;

    #[test]
    fn the_one_thing_that_makes_a_call_is_marked() {
        let source = "one <= ( switch <= ( a => send ) )\ntwo <= ( switch <= ( a ~ b => send ) )\n\
            out <= ( switch <= ( switch <= ( one => next ) switch <= ( two => next ) select <= ( a => send ) ) ) <= in";
        let shelf = Shelf { anything: true, ..Shelf::default() };
        let flow = crate::compile("test.aivm", source, &shelf).unwrap().flow;
        let marked = |key: &str| {
            let mut path = Path::of(&flow, "", []);
            path.stand_at(&flow, key);
            let picture = svg(&flow, Some(&path), Theme::Light);
            let lines = picture.lines().filter(|line| line.contains(" now"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let keys = [
            "switch.1/1/switch.1/one#1",
            "switch.1/2/switch.1/two#1",
            "switch.1/1/switch.1/one#1/switch.1/a#1",
            "switch.1/2/switch.1/two#1/switch.1/a#1",
            "switch.1/2/switch.1/two#1/switch.1/a#1~undo",
            "switch.1/3/select.1#1",
            "switch.1/3/select.1/a#1",
        ];
        let mut all: Vec<String> = Vec::new();
        for key in keys {
            let lines = marked(key);
            assert_eq!(lines.len(), 1, "{key}: {lines:?}");
            all.extend(lines);
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), keys.len(), "{all:?}");
        assert!(marked("elsewhere/a#1").is_empty());
    }
}
