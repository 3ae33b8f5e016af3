//! The steps that a run is expected to take, in the order in which they end: `s/judge#2` or `s/judge`, `judge`, `judge => back`;
//! `*` is one step, whichever; `…` any number of them; a list is steps that may end in any order.

use aivm_host::trace::StepRecord;
use serde::Deserialize;

/// One entry of `path`.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a step of `path` is `s/judge`, `judge => back`, `*` or `…`, or a list of steps that may end in any order"
)]
pub enum Took {
    /// A step.
    One(String),
    /// Several, in any order.
    Together(Vec<String>),
}

impl Took {
    fn is_gap(&self) -> bool {
        matches!(self, Took::One(text) if matches!(text.trim(), "…" | "..."))
    }

    fn shown(&self) -> String {
        match self {
            Took::One(text) => format!("`{text}`"),
            Took::Together(texts) => format!("`{}` in any order", texts.join("`, `")),
        }
    }

    /// How many steps it stands for.
    fn length(&self) -> usize {
        match self {
            Took::One(_) => 1,
            Took::Together(texts) => texts.len(),
        }
    }

    fn fits(&self, steps: &[StepRecord]) -> bool {
        match self {
            Took::One(text) => matches!(steps, [step] if fits(text, step)),
            Took::Together(texts) => texts.len() == steps.len() && paired(texts, steps),
        }
    }
}

/// Is this step meant?
fn fits(text: &str, step: &StepRecord) -> bool {
    let (place, outcome) = match text.split_once("=>") {
        Some((place, outcome)) => (place.trim(), Some(outcome.trim())),
        None => (text.trim(), None),
    };
    let bare = step.key.rsplit_once('#').map_or(step.key.as_str(), |(path, _)| path);
    let name = bare.rsplit('/').next().unwrap_or(bare);
    // The last count does not matter; those of its callers do, where they are written.
    (place == "*" || place == step.key || place == bare || place == name)
        && outcome.is_none_or(|outcome| outcome == step.outcome)
}

/// Is there a step for each of these?
fn paired(texts: &[String], steps: &[StepRecord]) -> bool {
    // By steps: the text that has it.
    let mut owner: Vec<Option<usize>> = vec![None; steps.len()];
    (0..texts.len()).all(|text| give(text, texts, steps, &mut owner, &mut vec![false; steps.len()]))
}

/// Gives a text a step, if need be by giving that step's owner another.
fn give(text: usize, texts: &[String], steps: &[StepRecord], owner: &mut [Option<usize>], seen: &mut [bool]) -> bool {
    let Some(wanted) = texts.get(text) else { return false };
    for (at, step) in steps.iter().enumerate() {
        if !fits(wanted, step) || seen.get(at).copied().unwrap_or(true) {
            continue;
        }
        seen[at] = true;
        let free = match owner.get(at).copied().flatten() {
            None => true,
            Some(other) => give(other, texts, steps, owner, seen),
        };
        if free {
            owner[at] = Some(text);
            return true;
        }
    }
    false
}

/// Where a run leaves the expected path; none: nowhere.
pub fn differs(path: &[Took], steps: &[StepRecord]) -> Option<String> {
    // `reached[n]`: so many entries can stand for the first so many steps.
    let mut reached = vec![false; steps.len() + 1];
    reached[0] = true;
    for entry in path {
        let mut next = vec![false; steps.len() + 1];
        for at in (0..=steps.len()).filter(|at| reached[*at]) {
            if entry.is_gap() {
                next[at..].fill(true);
                break;
            }
            let end = at + entry.length();
            if steps.get(at..end).is_some_and(|steps| entry.fits(steps)) {
                next[end] = true;
            }
        }
        if !next.contains(&true) {
            let at = reached.iter().rposition(|reached| *reached).unwrap_or(0);
            let came = match steps.get(at) {
                Some(step) => format!("is `{} => {}`", step.key, step.outcome),
                None => "is missing: the run ended".to_owned(),
            };
            return Some(format!("step {} {came}, and {} was expected", at + 1, entry.shown()));
        }
        reached = next;
    }
    if reached[steps.len()] {
        return None;
    }
    let at = reached.iter().rposition(|reached| *reached).unwrap_or(0);
    let step = steps.get(at)?;
    Some(format!("step {} is `{} => {}`, and the run was expected to have ended", at + 1, step.key, step.outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aivm_vm::action::Rule;

    fn differ(path: &[&[&str]], steps: &[&str]) -> Option<String> {
        let step = |text: &&str| {
            let (key, outcome) = text.split_once(" => ").unwrap_or((text, "next"));
            StepRecord::plain(key.to_owned(), 1, outcome.to_owned(), Rule::Success)
        };
        let took = |texts: &&[&str]| match texts {
            [one] => Took::One((*one).into()),
            several => Took::Together(several.iter().map(|text| (*text).into()).collect()),
        };
        let steps: Vec<StepRecord> = steps.iter().map(step).collect();
        differs(&path.iter().map(took).collect::<Vec<_>>(), &steps)
    }

    #[test]
    fn a_path_is_keys_names_outcomes_and_gaps() {
        let steps = ["s/a#1", "s/b#1 => back", "s/a#2", "s/b#2 => send"];
        for path in [
            &["a", "b", "a", "b"][..],
            &["s/a#1", "s/b#1", "s/a#2", "s/b#2"],
            &["s/a", "s/b => back", "*", "b => send"],
            &["…"],
            &["…", "b => send"],
            &["a", "...", "* => back", "…"],
            &["…", "…", "a", "b=>back", "a", "b", "…"],
        ] {
            let path: Vec<&[&str]> = path.iter().map(std::slice::from_ref).collect();
            assert_eq!(differ(&path, &steps), None, "{path:?}");
        }
        for (path, told) in [
            (&["a", "c"][..], "step 2 is `s/b#1 => back`, and `c` was expected"),
            (&["a", "b => send"], "step 2 is `s/b#1 => back`, and `b => send` was expected"),
            (&["a", "b"], "step 3 is `s/a#2 => next`, and the run was expected to have ended"),
            (&["…", "b", "a"], "step 4 is `s/b#2 => send`, and the run was expected to have ended"),
            (&["a", "b", "a", "b", "*"], "step 5 is missing: the run ended, and `*` was expected"),
            (&[], "step 1 is `s/a#1 => next`, and the run was expected to have ended"),
        ] {
            let path: Vec<&[&str]> = path.iter().map(std::slice::from_ref).collect();
            assert_eq!(differ(&path, &steps).as_deref(), Some(told), "{path:?}");
        }
    }

    #[test]
    fn what_runs_at_once_may_end_in_any_order() {
        let steps = ["s/a#1", "j/b#1", "j/c#1 => send", "s/d#1"];
        assert_eq!(differ(&[&["a"], &["c", "b"], &["d"]], &steps), None);
        // Whoever takes what comes gives way to whoever takes only that.
        assert_eq!(differ(&[&["a"], &["*", "b => next"], &["d"]], &steps), None);
        assert!(differ(&[&["a"], &["b", "b"], &["d"]], &steps).is_some());
    }
}
