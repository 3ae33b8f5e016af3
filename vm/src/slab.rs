//! Entries with stable numbers; a number is used again after its entry was taken out.

use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A number of an entry in a [`Slab`].
pub(crate) trait Id: Copy {
    fn from_index(index: u32) -> Self;
    fn index(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub(crate) struct $name(pub u32);
        impl Id for $name {
            fn from_index(index: u32) -> Self { Self(index) }
            fn index(self) -> usize { self.0 as usize }
        }
    )*};
}
ids! {
    /// A thread of control.
    FiberId,
    /// Registers and counters of one call of a function.
    FrameId,
    /// A node of the tree of scopes.
    ScopeId,
    /// The children of a join or a fan-out.
    GroupId,
}

/// A table whose entries keep their numbers.
#[derive(Clone, Debug)]
pub(crate) struct Slab<I, T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
    id: PhantomData<I>,
}

impl<I: Id, T> Slab<I, T> {
    pub(crate) fn new() -> Slab<I, T> {
        Slab { entries: Vec::new(), free: Vec::new(), id: PhantomData }
    }

    /// From a list with gaps, as [`Slab::entries`] shows it.
    pub(crate) fn from_entries(entries: Vec<Option<T>>) -> Slab<I, T> {
        let free = (0..entries.len()).rev().filter(|at| entries[*at].is_none()).map(|at| at as u32).collect();
        Slab { entries, free, id: PhantomData }
    }

    pub(crate) fn entries(&self) -> &[Option<T>] {
        &self.entries
    }

    pub(crate) fn insert(&mut self, entry: T) -> I {
        match self.free.pop() {
            Some(at) => {
                self.entries[at as usize] = Some(entry);
                I::from_index(at)
            }
            None => {
                self.entries.push(Some(entry));
                I::from_index((self.entries.len() - 1) as u32)
            }
        }
    }

    pub(crate) fn remove(&mut self, id: I) -> Option<T> {
        let entry = self.entries.get_mut(id.index())?.take();
        if entry.is_some() {
            self.free.push(id.index() as u32);
        }
        entry
    }

    pub(crate) fn get(&self, id: I) -> Option<&T> {
        self.entries.get(id.index())?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.entries.get_mut(id.index())?.as_mut()
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.entries.iter().enumerate().filter_map(|(at, entry)| Some((I::from_index(at as u32), entry.as_ref()?)))
    }
}

/// An id is kept only as long as its entry; a snapshot is checked for that before it is loaded.
impl<I: Id, T> Index<I> for Slab<I, T> {
    type Output = T;
    fn index(&self, id: I) -> &T {
        match &self.entries[id.index()] {
            Some(entry) => entry,
            None => unreachable!("an id outlived its entry"),
        }
    }
}

impl<I: Id, T> IndexMut<I> for Slab<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        match &mut self.entries[id.index()] {
            Some(entry) => entry,
            None => unreachable!("an id outlived its entry"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_stable_and_used_again() {
        let mut slab: Slab<FiberId, &str> = Slab::new();
        let (a, b) = (slab.insert("a"), slab.insert("b"));
        assert_eq!(slab.remove(a), Some("a"));
        assert_eq!((slab.remove(a), slab.get(a), slab.len()), (None, None, 1));
        assert_eq!(slab.insert("c"), a);
        assert_eq!((slab[a], slab[b], slab.len()), ("c", "b", 2));
    }

    #[test]
    fn gaps_survive() {
        let slab: Slab<FiberId, u8> = Slab::from_entries(vec![None, Some(1), None]);
        assert_eq!((slab.len(), slab.iter().count()), (1, 1));
        let mut slab = slab;
        assert_eq!(slab.insert(2), FiberId(0));
    }
}
