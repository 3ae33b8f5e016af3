//! The rules of outcomes: what follows from a call.

use super::*;

/// How a call did not succeed.
pub(super) type Failed = (EndKind, Option<String>);

/// What an outcome is chosen by.
enum Said {
    /// The word of this outcome.
    Word(usize),
    Nothing,
    Failed(EndKind),
}

/// What follows from a call.
pub(super) struct Decided {
    /// What came of it by the rules: a word that chose an outcome is used up, one that nobody knows is a failure.
    came: Result<Flowing, Failed>,
    /// What came of it, for the log.
    pub line: String,
    /// None: nothing can be taken.
    pub taken: Option<(usize, Outcome)>,
    pub passed_over: Vec<String>,
}

impl Decided {
    /// The word for the log.
    pub fn word<'a>(&self, flow: &'a Flow) -> &'a str {
        match (&self.taken, self.ending()) {
            (Some((_, outcome)), _) => outcome.word(flow),
            (None, Ending::Of(EndKind::Cancel, _) | Ending::Cut) => "cancelled",
            (None, Ending::Of(EndKind::Failure, _)) => "failed",
            (None, Ending::Of(EndKind::Exhausted, _)) => "exhausted",
            (None, Ending::Of(EndKind::Timeout, _)) => "timeout",
        }
    }

    /// How the stage ends, when it does. "A cancel taken after a failure keeps its kind and error."
    pub fn ending(&self) -> Ending {
        match (&self.taken, &self.came) {
            (None, Ok(_)) => Ending::by(EndKind::Exhausted, "E0703"),
            (None, Err(_)) if !self.passed_over.is_empty() => Ending::by(EndKind::Exhausted, "E0703"),
            (Some((_, Outcome::Timeout)), came) => {
                Ending::Of(EndKind::Timeout, came.as_ref().err().and_then(|failed| failed.1.clone()))
            }
            (_, Ok(_)) => Ending::Of(EndKind::Cancel, None),
            (_, Err((kind, error))) => Ending::Of(*kind, error.clone()),
        }
    }

    /// What is carried on.
    pub fn carried(self, input: &Value) -> Flowing {
        match (self.came, self.taken) {
            (Ok(out), Some((_, Outcome::Continue))) => Flowing { value: input.clone(), ..out },
            (Ok(out), _) => out,
            (Err((_, error)), _) => Flowing { value: input.with_error(&error), verdict: None },
        }
    }
}

/// In a line, for the log.
pub(super) fn told(came: &Result<&Flowing, Failed>) -> String {
    match came {
        Ok(Flowing { value, verdict: None }) => value.to_string(),
        Ok(Flowing { value, verdict: Some(verdict) }) => format!("{value} ({verdict})"),
        Err((kind, None)) => format!("{kind:?}"),
        Err((kind, Some(code))) => format!("{kind:?} {code}"),
    }
}

impl Evaluator<'_> {
    /// Decides. `item`: of a fan-out, which is retried by itself and may then go on as it came.
    pub(super) fn decide(
        &self,
        step: &Step,
        outcomes: &[Outcome],
        came: Result<Flowing, Failed>,
        item: bool,
        open: impl Fn(usize, Outcome) -> bool,
    ) -> Decided {
        let line = told(&came.as_ref().map_err(Clone::clone));
        let (came, said) = match came {
            Ok(Flowing { value, verdict: Some(word) }) => {
                if let Some(at) = outcomes.iter().position(|outcome| !step.stands_in && outcome.word(self.flow) == word)
                {
                    (Ok(Flowing { value, verdict: None }), Said::Word(at))
                } else if step.verdicts.iter().any(|known| self.flow.word(*known) == word) {
                    (Ok(Flowing { value, verdict: Some(word) }), Said::Nothing)
                } else {
                    (Err((EndKind::Failure, Some("E0702".to_owned()))), Said::Failed(EndKind::Failure))
                }
            }
            Ok(flowing) => (Ok(flowing), Said::Nothing),
            Err((kind, error)) => (Err((kind, error)), Said::Failed(kind)),
        };
        let lenient = item && came.is_err();
        let (taken, passed_over) = self.rules(outcomes, &said, lenient, open);
        let told = |at: usize| match outcomes[at] {
            Outcome::Jump { word, .. } => format!("{}.jump", self.flow.word(word)),
            outcome => outcome.word(self.flow).to_owned(),
        };
        let passed_over = passed_over.into_iter().map(told).collect();
        Decided { came, line, taken: taken.map(|at| (at, outcomes[at])), passed_over }
    }

    /// The rules of outcomes: which is taken, and which were passed over. `lenient`: a "no" may become a "go on without it".
    fn rules(
        &self,
        outcomes: &[Outcome],
        said: &Said,
        lenient: bool,
        open: impl Fn(usize, Outcome) -> bool,
    ) -> (Option<usize>, Vec<usize>) {
        let timeout = outcomes.iter().position(|outcome| *outcome == Outcome::Timeout);
        let from = match said {
            Said::Word(at) => Some(*at),
            Said::Nothing => outcomes.iter().position(Outcome::is_forward),
            Said::Failed(_) => None,
        };
        let takes = |at: usize, outcome: Outcome| match (said, timeout) {
            (Said::Word(_) | Said::Nothing, _) => true,
            (Said::Failed(EndKind::Timeout), Some(timeout)) => {
                at == timeout || at < timeout && matches!(outcome, Outcome::Retry(_))
            }
            _ => match outcome {
                Outcome::Back(_) | Outcome::Jump { .. } | Outcome::Cancel => true,
                // What is exhausted would be so again.
                Outcome::Retry(_) => !matches!(said, Said::Failed(EndKind::Exhausted)),
                Outcome::Continue => outcomes[..at].iter().any(|left| matches!(left, Outcome::Next | Outcome::Send)),
                Outcome::Next | Outcome::Send | Outcome::Timeout => false,
            },
        };
        let mut passed_over = Vec::new();
        let mut refused = false;
        for (at, outcome) in outcomes.iter().enumerate().skip(from.unwrap_or(0)) {
            if !takes(at, *outcome) || refused && outcome.is_forward() && !lenient {
                continue;
            }
            if open(at, *outcome) {
                return (Some(at), passed_over);
            }
            passed_over.push(at);
            refused |= !outcome.is_forward();
        }
        (None, passed_over)
    }
}
