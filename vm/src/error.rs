//! What can go wrong inside the machine, each with its stable code and its sentence. Failures of workers come from the host.

use crate::action::CallError;
use aivm_schema::limits;
use aivm_schema::module::EndKind;

/// A failure that the machine itself finds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("nothing that this step refers to has run yet: [{0}]")]
    NothingGathered(String),
    #[error("the worker answered `{said}`, which is none of the words that this step knows: {known}")]
    UnknownWord { said: String, known: String },
    #[error("no outcome is left: {spent}{}", because(.cause))]
    NothingLeft { spent: String, cause: Option<String> },
    #[error("entered or visited {0} times, which is all that its count allows")]
    CountSpent(u16),
    #[error("the call is not made: it may take {price}, and {left} is left of the budget of {budget}")]
    BudgetSpent { price: String, left: String, budget: String },
    #[error("not done after {0} ms, which is its deadline")]
    Deadline(u64),
    #[error("the element `{0}` of the same join ended without an output")]
    SiblingLost(String),
    #[error("no arm of this match holds: it knows {known}, {came}")]
    NoArm { known: String, came: String },
    #[error("the chooser was asked twice and named no step that is left: {0}")]
    NotChosen(String),
    #[error("{0} parts are more than the {max} that one fan-out may have", max = limits::ITEMS)]
    TooManyParts(u32),
    #[error("the elements of this join wait for each other")]
    Deadlock,
    #[error("the machine's state does not fit its program: {0}")]
    Broken(&'static str),
}

fn because(cause: &Option<String>) -> String {
    cause.as_ref().map_or(String::new(), |cause| format!(" ({cause})"))
}

impl Fault {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Fault::NothingGathered(_) => "E0701",
            Fault::UnknownWord { .. } => "E0702",
            Fault::NothingLeft { .. } => "E0703",
            Fault::CountSpent(_) => "E0704",
            Fault::BudgetSpent { .. } => "E0705",
            Fault::Deadline(_) => "E0706",
            Fault::SiblingLost(_) => "E0707",
            Fault::NoArm { .. } => "E0708",
            Fault::NotChosen(_) => "E0709",
            Fault::TooManyParts(_) => "E0710",
            Fault::Deadlock => "E0711",
            Fault::Broken(_) => "E0799",
        }
    }

    /// The ending that it leads to.
    pub(crate) fn kind(&self) -> EndKind {
        match self {
            Fault::NothingLeft { .. } | Fault::CountSpent(_) | Fault::BudgetSpent { .. } => EndKind::Exhausted,
            Fault::Deadline(_) => EndKind::Timeout,
            _ => EndKind::Failure,
        }
    }

    /// As an error that happened at `place`.
    pub(crate) fn at(&self, place: impl ToString) -> CallError {
        CallError { code: self.code().to_owned(), message: self.to_string(), step: place.to_string() }
    }
}
