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
    "collect",
    "count",
    "critique",
    "data.json.get",
    "data.json.parse",
    "data.json.stringify",
    "decode",
    "dedupe",
    "diff",
    "edit-file",
    "encode",
    "enrich",
    "execute",
    "extract",
    "extract-facts",
    "fail",
    "fit",
    "forget",
    "format",
    "get",
    "hash",
    "initial-state",
    "inputs",
    "io.fs.copy",
    "io.fs.delete",
    "io.fs.exists",
    "io.fs.hash_file",
    "io.fs.list_dir",
    "io.fs.make_dir",
    "io.fs.move",
    "io.fs.read_file",
    "io.fs.write_bytes",
    "io.fs.write_file",
    "json",
    "list-files",
    "match-regex",
    "merge",
    "merge-state",
    "merge-states",
    "mkdir",
    "model",
    "move",
    "neighbours",
    "net.http.get",
    "net.http.post",
    "net.http.put",
    "only",
    "optimize",
    "path",
    "pick",
    "plan",
    "program",
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
    "sys.archive.zip",
    "sys.info.get_env_var",
    "sys.info.get_os",
    "sys.info.get_time",
    "take",
    "template",
    "text.regex.match",
    "text.template.render",
    "translate",
    "unbound",
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
