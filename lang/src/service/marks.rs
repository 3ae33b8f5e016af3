//! What is shown in and between the words of a text: what each word is, and what holds where nothing is written.

use super::Document;
use super::names::{Name, Role};
use crate::lexer::Kind as T;
use crate::lower::kind_word;
use crate::parser::{OUTCOMES, keyword};
use crate::span::Span;
use aivm_schema::word::{BY_ENDING, is_reserved};

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// `switch`, `out`, `in` …
    Keyword,
    /// `next`, `back` …
    Outcome,
    /// Whom a step calls.
    Worker,
    /// A definition, where it is given.
    Definition,
    /// A label.
    Label,
    /// A behaviour.
    Behaviour,
    /// The word of an arm.
    Verdict,
    /// A limit or a count.
    Number,
    /// A sign.
    Operator,
    /// A comment.
    Comment,
}

/// A word or sign, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mark {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: MarkKind,
}

/// Something that holds and is not written.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Hint {
    /// The byte that it is shown before.
    pub at: u32,
    /// What is shown.
    pub text: String,
    /// What it means.
    pub about: String,
}

impl Document {
    /// What each word and sign of the program is, in the order of the places; the front matter is TOML, and others know TOML.
    pub fn marks(&self) -> Vec<Mark> {
        let mut names = self.names.occurrences.iter().peekable();
        let mut marks = Vec::with_capacity(self.tokens.len() / 2);
        for token in &self.tokens {
            while names.next_if(|one| one.span.end <= token.span.start).is_some() {}
            let name = names.peek().filter(|one| one.span.start <= token.span.start && token.span.end <= one.span.end);
            let word = self.slice(token.span);
            let kind = match (token.kind, name) {
                (T::Space, _) => continue,
                (T::Comment, _) => MarkKind::Comment,
                (T::Word, Some(one)) => match (&one.name, one.role) {
                    (Name::Worker(_), Role::Given) => MarkKind::Definition,
                    (Name::Worker(_), _) => MarkKind::Worker,
                    (Name::Label(_), _) => MarkKind::Label,
                    (Name::Behaviour(_), _) => MarkKind::Behaviour,
                    (Name::Verdict(_), _) => MarkKind::Verdict,
                },
                (T::Word, None) if keyword(word).is_some() => MarkKind::Keyword,
                (T::Word, None) if OUTCOMES.contains(&word) => MarkKind::Outcome,
                (T::Word, None) if is_reserved(word) => MarkKind::Keyword,
                (T::Word, None) if BY_ENDING.contains(&word) => MarkKind::Verdict,
                (T::Number | T::Money, _) => MarkKind::Number,
                (T::Arrow | T::Leads | T::Or | T::Star | T::Tilde, _) => MarkKind::Operator,
                _ => continue,
            };
            marks.push(Mark { span: token.span, kind });
        }
        marks
    }

    /// The counts that hold where none is written, and behind each stage the one that runs next: the page is read downwards, and its
    /// arrows point up.
    pub fn hints(&self) -> Vec<Hint> {
        let mut hints = self.next_stages();
        if let Some(compiled) = &self.compiled {
            let flow = &compiled.flow;
            let steps = flow.steps.iter().zip(&flow.places.steps).map(|(step, place)| (step.visits, *place));
            for (count, place) in steps {
                let at = self
                    .parsed
                    .spans
                    .steps
                    .iter()
                    .find(|spans| place == (0, spans.whole))
                    .map(|spans| spans.worker.end);
                hints
                    .extend(count.zip(at).filter(|(count, _)| !count.written).map(|(count, at)| bound(count.most, at)));
            }
            let stages = flow.stages.iter().zip(&flow.places.stages);
            for (stage, place) in stages.filter(|(_, place)| place.0 == 0) {
                let count = stage.entries.filter(|count| !count.written);
                hints.extend(count.map(|count| bound(count.most, place.1.end)));
            }
        }
        hints.sort_by_key(|hint| hint.at);
        hints.dedup();
        hints
    }

    fn next_stages(&self) -> Vec<Hint> {
        let (tree, spans) = (&self.parsed.tree, &self.parsed.spans);
        let mut hints = Vec::new();
        for chain in &tree.chains {
            for pair in chain.stages.windows(2) {
                let [above, below] = pair else { continue };
                let (Some(places), Some(below)) = (spans.stages.get(above.index()), tree.stages.get(below.index()))
                else {
                    continue;
                };
                let name = match below.label {
                    Some(label) => tree.words.text(label),
                    None => kind_word(crate::lower::kind(below.kind)),
                };
                hints.push(Hint {
                    at: places.whole.end,
                    text: format!(" then {name} ↓"),
                    about: "Stages run in the order in which they are written.".to_owned(),
                });
            }
        }
        hints
    }
}

fn bound(most: u16, at: u32) -> Hint {
    let about = "Nobody says how often, so this default holds: every program ends.".to_owned();
    Hint { at, text: format!("<{most}>"), about }
}
