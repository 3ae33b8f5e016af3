//! The trait of what keeps vectors. A driver keeps notes with the vectors that it is given, finds the nearest, and knows nothing
//! of embedders, of long texts or of whoever may read what.

use super::{Filter, Hit, MemoryError, Note, Place, Search};
use std::pin::Pin;

/// An answer that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = Result<T, MemoryError>> + Send + 'a>>;

/// Where vectors that can be compared lie together: a collection, as one embedder made it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space {
    /// Whose.
    pub place: Place,
    /// Of which collection.
    pub collection: String,
    /// The embedder's name.
    pub embedder: String,
    /// How long its vectors are.
    pub dimensions: usize,
}

/// A note with its vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// Its id.
    pub id: String,
    /// What is known of it.
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Its text in parts, which make it up when they are joined, each with a vector of length 1. There is at least one.
    pub parts: Vec<(String, Vec<f32>)>,
}

/// What keeps vectors.
pub trait Vectors: Send + Sync + std::fmt::Debug {
    /// All spaces, in order.
    fn spaces(&self) -> Later<'_, Vec<Space>>;

    /// The number of vectors in a space.
    fn size<'a>(&'a self, space: &'a Space) -> Later<'a, u64>;

    /// Keeps notes, each instead of what was there by its id; durable when it returns. The space is made when it is not there.
    fn put<'a>(&'a self, space: &'a Space, notes: Vec<Embedded>) -> Later<'a, ()>;

    /// The parts that are nearest to a vector of length 1, the nearest first, equal ones by id.
    fn nearest<'a>(
        &'a self,
        space: &'a Space,
        vector: &'a [f32],
        filter: &'a Filter,
        most: usize,
        search: Search,
    ) -> Later<'a, Vec<Hit>>;

    /// Removes notes, each by its id or by that of one of its parts, and returns them whole. Durable when it returns.
    fn take<'a>(&'a self, space: &'a Space, ids: &'a [String]) -> Later<'a, Vec<Note>>;

    /// A note by its id or by that of one of its parts, whole.
    fn get<'a>(&'a self, space: &'a Space, id: &'a str) -> Later<'a, Option<Note>>;

    /// Whole notes in order of their ids, those behind `after`.
    fn notes<'a>(&'a self, space: &'a Space, after: &'a str, most: usize) -> Later<'a, Vec<Note>>;

    /// Removes a space with all that is in it.
    fn clear<'a>(&'a self, space: &'a Space) -> Later<'a, ()>;
}

/// The id of one of several parts, counted from 0.
pub fn part_id(note: &str, number: usize, of: usize) -> String {
    if of == 1 { note.to_owned() } else { format!("{note}#{}", number + 1) }
}

/// The note and the number of a part that an id may be of.
pub fn note_of(id: &str) -> Option<(&str, usize)> {
    let (note, number) = id.rsplit_once('#')?;
    let number: usize = number.parse().ok()?;
    Some((note, number.checked_sub(1)?))
}
