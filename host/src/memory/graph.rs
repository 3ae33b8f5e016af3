//! The trait of what keeps edges. Each method is one statement of Cypher, so that a server that speaks it can be a driver:
//! `MERGE`, `DELETE`, `MATCH (a)-[*1..k]-(b)`, `shortestPath`, `MATCH ()-[r]->() WHERE`.

use super::vectors::Later;
use super::{Edge, Filter, Place};

/// What keeps edges.
pub trait Graph: Send + Sync + std::fmt::Debug {
    /// All places that have edges, with their number.
    fn places(&self) -> Later<'_, Vec<(Place, u64)>>;

    /// Keeps an edge: one of the same ends and relation is there once, with the newest metadata. Answers what was there.
    fn link<'a>(&'a self, place: &'a Place, edge: Edge) -> Later<'a, Option<Edge>>;

    /// Removes the edge of these ends and this relation, and answers what was there.
    fn unlink<'a>(&'a self, place: &'a Place, edge: &'a Edge) -> Later<'a, Option<Edge>>;

    /// The edges within so many hops of a node, whichever way they point: the nearest first, then in order.
    fn neighbours<'a>(
        &'a self,
        place: &'a Place,
        node: &'a str,
        relation: Option<&'a str>,
        hops: u32,
        most: usize,
    ) -> Later<'a, Vec<Edge>>;

    /// The shortest way from a node to another along the edges' direction; of several, the first in order. Empty: they are the
    /// same. None: there is none of at most so many hops.
    fn path<'a>(&'a self, place: &'a Place, from: &'a str, to: &'a str, most_hops: u32)
    -> Later<'a, Option<Vec<Edge>>>;

    /// The edges of a relation whose metadata a filter takes, in order, those behind `after`.
    fn matching<'a>(
        &'a self,
        place: &'a Place,
        relation: Option<&'a str>,
        filter: &'a Filter,
        after: Option<&'a Edge>,
        most: usize,
    ) -> Later<'a, Vec<Edge>>;
}
