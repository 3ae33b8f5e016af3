//! The standard library: the pages of `stdlib/workers`, carried along in the program. Each is a worker file that users can
//! read and copy; nothing about a word stands here that does not stand on its page.

use crate::builtin;
use aivm_schema::worker::{Does, WorkerDefinition};

/// Pages by word, sorted.
macro_rules! pages {
    ($($word:literal),* $(,)?) => {
        static PAGES: &[(&str, &str)] = &[$(($word, include_str!(concat!("../../stdlib/workers/", $word, ".md")))),*];
    };
}

pages![
    "analyze",
    "answer",
    "assert",
    "best",
    "choose",
    "classify",
    "clean",
    "count",
    "critique",
    "decode",
    "dedupe",
    "diff",
    "edit-file",
    "encode",
    "enrich",
    "execute",
    "extract",
    "extract-facts",
    "fit",
    "forget",
    "format",
    "get",
    "hash",
    "json",
    "list-files",
    "match-regex",
    "merge",
    "mkdir",
    "model",
    "move",
    "neighbours",
    "only",
    "optimize",
    "path",
    "pick",
    "plan",
    "quarantine",
    "read",
    "read-file",
    "reason",
    "recall",
    "redact",
    "relate",
    "remember",
    "remove",
    "rename",
    "replace",
    "report",
    "restore",
    "restore-memory",
    "rewrite",
    "save",
    "search",
    "search-files",
    "set",
    "sleep",
    "sort",
    "split",
    "stats",
    "summarize",
    "take",
    "template",
    "translate",
    "undo",
    "validate",
    "verify",
    "vote",
    "when",
    "write",
    "write-file",
];

/// The page of this word, when the standard library has one.
pub fn page(word: &str) -> Option<&'static str> {
    PAGES.binary_search_by(|(name, _)| (*name).cmp(word)).ok().and_then(|at| PAGES.get(at)).map(|(_, page)| *page)
}

/// All words of the standard library, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    PAGES.iter().map(|(name, _)| *name)
}

/// The undoer that a built-in brings along, unless its definition names another. Whatever its word means in the program: what a
/// built-in did is taken back by this.
pub fn undoer(definition: &WorkerDefinition) -> Option<(String, WorkerDefinition)> {
    let Does::Builtin(name) = &definition.does else { return None };
    let undo = builtin::find(name)?.undo()?;
    let own = definition.undo.as_deref().is_none_or(|told| told == undo);
    let page = page(undo).filter(|_| own)?;
    Some((undo.to_owned(), WorkerDefinition::from_markdown(page).ok()?))
}

#[cfg(test)]
mod tests;
