//! The rules of outcomes: which edge of a list is taken. Pure: nothing is counted or moved here.

use crate::action::Rule;
use aivm_schema::module::{CounterId, EdgeKind, EndKind, WordId};

/// One outcome of a step or an arm, as the code lists them: best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub kind: EdgeKind,
    pub word: WordId,
    /// Counted when the edge is taken.
    pub counter: Option<CounterId>,
    /// Of a `retry`: how often. Of others: how many words further down it goes on; a `back` that leads nowhere has 0.
    pub offset: u16,
    /// How many retries the list allows up to here, this edge's included.
    pub retries: u32,
    /// Its own address.
    pub at: u32,
}

/// What the edges are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Success, with the word of one of the edges, or with one that has to be.
    Word(WordId),
    /// Success without a word, or with one that travels on.
    Nothing,
    /// Not a success.
    Failed(EndKind),
    /// The ends of an arm: the first.
    Arm,
}

/// What the rules found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Index of the edge that is taken; none: nothing is left.
    pub taken: Option<usize>,
    /// Those that would have come first, in order, but cannot be taken.
    pub passed_over: Vec<usize>,
    pub rule: Rule,
}

/// Chooses among `edges`. `open` says whether an edge can be taken now. Of an `item` of a fan-out, which is retried by itself,
/// `continue` hands it in as it came when its retries are used up; everywhere else a "no" never becomes a "yes".
///
/// Nothing taken and nothing passed over: no edge takes such an ending.
pub(crate) fn choose(edges: &[Edge], said: Said, item: bool, open: impl Fn(usize, &Edge) -> bool) -> Choice {
    match said {
        Said::Word(word) => {
            let from = edges.iter().position(|edge| edge.word == word);
            first_open(edges, from.unwrap_or(edges.len()), Rule::Verdict, |_, _| true, false, open)
        }
        Said::Nothing => {
            let from = edges.iter().position(|edge| edge.kind.is_forward()).unwrap_or(0);
            first_open(edges, from, Rule::Success, |_, _| true, false, open)
        }
        Said::Arm => first_open(edges, 0, Rule::None, |_, _| true, false, open),
        Said::Failed(kind) => {
            let timeout =
                edges.iter().position(|edge| edge.kind == EdgeKind::Timeout).filter(|_| kind == EndKind::Timeout);
            match timeout {
                Some(timeout) => {
                    let before = |at: usize, edge: &Edge| at == timeout || at < timeout && edge.kind == EdgeKind::Retry;
                    first_open(edges, 0, Rule::Failure, before, item, open)
                }
                None => {
                    let sent = edges.iter().position(|edge| matches!(edge.kind, EdgeKind::Next | EdgeKind::Send));
                    let behind = |at| sent.is_some_and(|sent| sent < at);
                    first_open(edges, 0, Rule::Failure, |at, edge| takes(edge, kind, behind(at)), item, open)
                }
            }
        }
    }
}

/// Does this edge take a failure of such a kind? `behind`: to its left stands a `next` or a `send`.
fn takes(edge: &Edge, kind: EndKind, behind: bool) -> bool {
    match edge.kind {
        EdgeKind::Back | EdgeKind::Jump | EdgeKind::Cancel => true,
        EdgeKind::Retry => kind != EndKind::Exhausted,
        EdgeKind::Continue => behind,
        EdgeKind::Next | EdgeKind::Send | EdgeKind::Timeout => false,
    }
}

/// The first edge from `from` on that is meant and open.
fn first_open(
    edges: &[Edge],
    from: usize,
    rule: Rule,
    meant: impl Fn(usize, &Edge) -> bool,
    lenient: bool,
    open: impl Fn(usize, &Edge) -> bool,
) -> Choice {
    let mut passed_over = Vec::new();
    let mut refused = false;
    for (at, edge) in edges.iter().enumerate().skip(from) {
        if !meant(at, edge) || refused && edge.kind.is_forward() && !lenient {
            continue;
        }
        if open(at, edge) {
            return Choice { taken: Some(at), passed_over, rule };
        }
        passed_over.push(at);
        refused |= !edge.kind.is_forward();
    }
    Choice { taken: None, passed_over, rule }
}

#[cfg(test)]
mod tests;
