//! Where runs stop: before a step, or when an edge is taken.

use crate::fail::Failure;
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

    /// The word of the step, without labels and counts.
    pub fn worker(&self) -> &str {
        let last = self.step.rsplit('/').next().unwrap_or_default();
        last.split(['#', '[', '~']).next().unwrap_or_default()
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
        assert!(Break::parse("judge back").is_err() && Break::parse("=>back").is_err());
    }
}
