//! Interned words: one number a distinct word, so that the compiler compares and stores numbers.

use rustc_hash::FxHashMap;
use std::sync::Arc;

/// A word of one [`Words`] table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word(pub u32);

/// The distinct words of a program, in order of first use.
#[derive(Clone, Debug, Default)]
pub struct Words {
    numbers: FxHashMap<Arc<str>, Word>,
    texts: Vec<Arc<str>>,
}

impl PartialEq for Words {
    fn eq(&self, other: &Words) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Words {}

impl Words {
    /// The number of `text`, given now if it is new.
    pub fn intern(&mut self, text: &str) -> Word {
        if let Some(&word) = self.numbers.get(text) {
            return word;
        }
        let word = Word(self.texts.len() as u32);
        let text: Arc<str> = text.into();
        self.numbers.insert(text.clone(), word);
        self.texts.push(text);
        word
    }

    /// The number of `text`, if it occurs.
    pub fn find(&self, text: &str) -> Option<Word> {
        self.numbers.get(text).copied()
    }

    /// The text of a word of this table; empty for a stranger.
    pub fn text(&self, word: Word) -> &str {
        self.texts.get(word.0 as usize).map_or("", |text| text)
    }

    /// All texts, in order of their numbers.
    pub fn texts(&self) -> &[Arc<str>] {
        &self.texts
    }
}
