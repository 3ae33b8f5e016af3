//! Where runs stop: before a step, or when an edge is taken.

use super::Repl;
use crate::fail::Failure;
use aivm_lang::flow::Flow;
use aivm_lang::nearest;
use aivm_schema::module::StageKind;
use std::fmt;

/// A breakpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The step: its word, `label/step`, or a key of one visit, `label/step#2`.
    step: String,
    /// The word of the edge that it takes.
    word: Option<String>,
}

impl Break {
    /// From `STEP` or `STEP=>WORD`.
    pub fn parse(text: &str) -> Result<Break, Failure> {
        let (step, word) = match text.split_once("=>") {
            Some((step, word)) => (step, Some(word)),
            None => (text, None),
        };
        let is_name =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-./#[]~".contains(c));
        match is_name(step) && word.is_none_or(is_name) {
            true => Ok(Break { step: step.to_owned(), word: word.map(str::to_owned) }),
            false => Err(Failure::usage("E0956", format!("`{text}` is no breakpoint"))
                .help("write :break STEP, or :break STEP=>WORD, as verify=>back")),
        }
    }

    /// Is the call of this key one to stop before?
    pub fn is_before(&self, key: &str) -> bool {
        self.word.is_none() && is_of(key, &self.step)
    }

    /// Is this what a step of this key must not do without a stop?
    pub fn is_edge(&self, key: &str, outcome: &str) -> bool {
        self.word.as_deref() == Some(outcome) && is_of(key, &self.step)
    }

    /// Does the program come to such a place? A breakpoint elsewhere would hold nothing, and nobody would know.
    fn fits(&self, flow: &Flow) -> Result<(), Failure> {
        let step = uncounted(self.step.trim_end_matches("~undo"));
        let steps = flow.steps.iter().map(|step| format!("{}/{}", flow.stage(step.stage).key, step.name));
        let choosers =
            flow.stages.iter().filter(|stage| stage.kind == StageKind::Select).map(|stage| stage.key.clone());
        let places: Vec<String> = steps.chain(choosers).collect();
        if !has(&places, &step) {
            let words: Vec<&str> = places.iter().map(|place| last(place)).collect();
            return Err(nothing(format!("the program has no step `{step}`"), last(&step), &words));
        }
        let Some(word) = &self.word else { return Ok(()) };
        let here = flow.steps.iter().filter(|one| one.name == last(&step));
        let words: Vec<&str> = here.flat_map(|one| &one.outcomes).map(|outcome| outcome.word(flow)).collect();
        match words.contains(&word.as_str()) || ENDS.contains(&word.as_str()) {
            true => Ok(()),
            false => Err(nothing(format!("`{step}` has no outcome `{word}`"), word, &words)),
        }
    }
}

/// How a step ends that takes none of its outcomes.
const ENDS: [&str; 4] = ["failed", "exhausted", "cancelled", "timeout"];

/// Is this one of the places, or one within a definition that is called at another?
fn has(places: &[String], step: &str) -> bool {
    let is_within = |place: &String| step.strip_suffix(place.as_str()).and_then(|rest| rest.strip_suffix('/'));
    places.iter().any(|place| is_of(place, step) || is_within(place).is_some_and(|caller| has(places, caller)))
}

fn last(step: &str) -> &str {
    step.rsplit('/').next().unwrap_or_default()
}

fn nothing(told: String, word: &str, known: &[&str]) -> Failure {
    let failure = Failure::usage("E0859", told);
    failure.help(match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => ":graph shows its steps, and where each leads".to_owned(),
    })
}

impl Repl<'_> {
    /// `:break [STEP | STEP=>WORD]`.
    pub fn stop_at(&mut self, place: Option<String>) -> Result<(), Failure> {
        if let Some(place) = place {
            let stop = Break::parse(&place)?;
            stop.fits(&self.compiled()?.flow)?;
            let place = stop.to_string();
            if !self.session.breaks.contains(&place) {
                self.session.breaks.push(place);
            }
            self.session.keep()?;
        }
        match self.session.breaks.as_slice() {
            [] => println!("no breakpoints"),
            breaks => breaks.iter().for_each(|one| println!("stops at {one}")),
        }
        Ok(())
    }

    /// `:unbreak [STEP | STEP=>WORD]`.
    pub fn stop_no_more_at(&mut self, place: Option<String>) -> Result<(), Failure> {
        match place {
            None => self.session.breaks.clear(),
            Some(place) => {
                let before = self.session.breaks.len();
                self.session.breaks.retain(|one| *one != place);
                if self.session.breaks.len() == before {
                    return Err(Failure::usage("E0956", format!("nothing stops at {place}")).help(":break lists where"));
                }
            }
        }
        self.session.keep()?;
        self.stop_at(None)
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.word {
            Some(word) => write!(f, "{}=>{word}", self.step),
            None => f.write_str(&self.step),
        }
    }
}

/// Does a key end in this step? A step without a count means each visit.
pub fn is_of(key: &str, step: &str) -> bool {
    let key = if step.contains(['#', '[']) { key.to_owned() } else { uncounted(key) };
    key.strip_suffix(step).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// A key without its counts.
fn uncounted(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    let mut inside = false;
    for c in key.chars() {
        match c {
            '#' | '[' => inside = true,
            '/' | '~' => inside = false,
            _ => {}
        }
        if !inside {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_means_each_visit_and_a_key_that_very_one() {
        for (key, step, is) in [
            ("draft/judge#2", "judge", true),
            ("draft/judge#2", "draft/judge", true),
            ("draft/judge#2", "judge#2", true),
            ("draft/judge#2", "judge#1", false),
            ("draft/prejudge#2", "judge", false),
            ("switch.1/tidy#1[3]/switch.1/clean#1", "tidy/switch.1/clean", true),
            ("switch.1/tidy#1[3]/switch.1/clean#1", "tidy", false),
            ("draft/make#1~undo", "make", false),
        ] {
            assert_eq!(is_of(key, step), is, "{key} {step}");
        }
        let edge = Break::parse("judge=>back").ok();
        assert!(edge.is_some_and(|edge| edge.is_edge("draft/judge#1", "back") && !edge.is_before("draft/judge#1")));
        let places = ["switch.1/tidy", "switch.1/clean", "pick"].map(str::to_owned);
        for step in ["clean", "switch.1/clean", "tidy/switch.1/clean", "switch.1/tidy/switch.1/clean", "pick"] {
            assert!(has(&places, step), "{step}");
        }
        for step in ["clear", "pick/clean", "tidy/clean", "lean"] {
            assert!(!has(&places, step), "{step}");
        }
        assert!(Break::parse("judge back").is_err() && Break::parse("=>back").is_err());
    }
}
