//! A page of arrows that was written for a text of another format, and which part of it comes from where.

use crate::diagnostic::{Code, Diagnostic, Label};
use crate::span::Span;
use aivm_schema::word::{is_reserved, is_word};
use aivm_schema::worker::WorkerDefinition;
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::collections::BTreeMap;

/// Longer names are cut: they become parts of step keys.
const MOST_OF_A_NAME: usize = 100;

/// Arrows, and where each part of them comes from.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// A whole program.
    pub text: String,
    /// What looks wrong in what it comes from, and what is only recorded there.
    pub warnings: Vec<Diagnostic>,
    /// From this byte of the text on, what it comes from; ascending. None: it is the text itself.
    origins: Option<Vec<(u32, Span)>>,
}

impl Page {
    /// A program that a person wrote.
    pub fn of_arrows(text: &str) -> Page {
        Page { text: text.to_owned(), ..Page::default() }
    }

    /// The place of what a place of this page comes from.
    pub fn origin(&self, span: Span) -> Span {
        let Some(origins) = &self.origins else { return span };
        let behind = origins.partition_point(|(start, _)| *start <= span.start);
        behind.checked_sub(1).and_then(|at| origins.get(at)).map_or(Span::default(), |(_, origin)| *origin)
    }

    /// The same message at the places that it comes from. A change to the page mends nothing there.
    pub fn told_at_origin(&self, diagnostic: Diagnostic) -> Diagnostic {
        if self.origins.is_none() {
            return diagnostic;
        }
        let back = |label: Label| Label { span: self.origin(label.span), ..label };
        let Diagnostic { code, message, primary, labels, reason, help, fix, beside } = diagnostic;
        let help = help.or(fix.map(|fix| fix.title));
        Diagnostic {
            code,
            message,
            primary: back(primary),
            labels: labels.into_iter().map(back).collect(),
            reason,
            help,
            fix: None,
            beside,
        }
    }
}

/// What to do instead of writing a credential into a file.
pub(super) const NOT_WRITTEN: &str = "keep it by  aivm secret set NAME  and let a worker name it: `secret(\"NAME\")` in a header, `env` of the `sandbox` of a command";

/// Which credential is written in a definition, if that is why a library refuses it.
pub(super) fn written_down(reason: &str) -> Option<String> {
    reason.strip_prefix(&format!("{}: ", Code::WrittenDown)).map(str::to_owned)
}

/// What a file says, and nothing is done with.
pub(super) fn only_recorded(span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(Code::OnlyRecorded, span, format!("{what} is recorded, not enforced"))
        .reason("nothing on this machine acts on it: it stands in the file that the run keeps")
}

/// A value as TOML on one line. The strings of JSON are strings of TOML, but for one character that JSON leaves as it is.
fn inline(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(members) => {
            let members =
                members.iter().map(|(name, value)| format!("{} = {}", inline(&name.as_str().into()), inline(value)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Array(list) => format!("[{}]", list.iter().map(inline).collect::<Vec<_>>().join(", ")),
        other => other.to_string().replace('\u{7f}', "\\u007f"),
    }
}

/// The word that is nearest to a name of any letters; two names may have the same.
pub(super) fn spelt(name: &str) -> String {
    let fitting = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let mut word: String = name.chars().map(fitting).take(MOST_OF_A_NAME).collect();
    word = word.trim_matches('-').to_owned();
    if !word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || is_reserved(&word) {
        word.insert_str(0, "step-");
    }
    word.trim_end_matches('-').to_owned()
}

/// The word for a name that is not taken; it is then. Each word knows its last number, so that many names may be spelt alike.
fn another(taken: &mut FxHashMap<String, u32>, name: &str) -> String {
    let word = spelt(name);
    let Some(last) = taken.get(&word).copied() else {
        taken.insert(word.clone(), 1);
        return word;
    };
    let mut numbered = (last.saturating_add(1)..).map(|n| (n, format!("{word}-{n}")));
    let (n, free) = numbered.find(|(_, word)| !taken.contains_key(word)).unwrap_or((last, word.clone()));
    taken.insert(free.clone(), 1);
    taken.insert(word, n);
    free
}

/// Writes a page. What is written comes from the place that was named last.
#[derive(Debug, Default)]
pub(super) struct Writer {
    front: Part,
    arrows: Part,
    taken: FxHashMap<String, u32>,
    labels: FxHashMap<String, u32>,
    warnings: Vec<Diagnostic>,
}

/// Text, and from which of its bytes on it comes from where.
#[derive(Debug, Default)]
struct Part {
    text: String,
    origins: Vec<(u32, Span)>,
}

impl Part {
    fn put(&mut self, text: &str, origin: Span) {
        if self.origins.last().is_none_or(|(_, last)| *last != origin) {
            self.origins.push((self.text.len() as u32, origin));
        }
        self.text.push_str(text);
    }
}

impl Writer {
    /// A word of the language for a name of any letters: itself where it is one, and another than every word before it.
    pub(super) fn word(&mut self, name: &str) -> String {
        another(&mut self.taken, name)
    }

    /// The same of a label: labels may be called as words are.
    pub(super) fn label(&mut self, name: &str) -> String {
        another(&mut self.labels, name)
    }

    /// A name that is taken already, as that of a worker which is called as it is.
    pub(super) fn reserve(&mut self, word: &str) {
        self.taken.entry(word.to_owned()).or_insert(1);
    }

    /// `[worker.WORD]`.
    pub(super) fn worker(&mut self, word: &str, definition: &WorkerDefinition, origin: Span) {
        self.table("worker", word, definition, origin);
    }

    /// `[GROUP.NAME]`.
    pub(super) fn table(&mut self, group: &str, name: &str, it: &impl Serialize, origin: Span) {
        let front = BTreeMap::from([(group, BTreeMap::from([(name, it)]))]);
        let text = toml::to_string(&front).unwrap_or_default();
        // A text of several lines is written so, and must not end the front matter by one of them.
        let ends = text.lines().any(|line| line.trim_end_matches('\r') == "+++");
        let by_lines = || {
            let members = serde_json::to_value(it).unwrap_or_default();
            let lines = members.as_object().into_iter().flatten();
            let lines = lines.map(|(name, value)| format!("{} = {}\n", inline(&name.as_str().into()), inline(value)));
            let name = if is_word(name) { name.to_owned() } else { inline(&name.into()) };
            format!("[{group}.{name}]\n{}", lines.collect::<String>())
        };
        self.front.put(&if ends { by_lines() } else { text }, origin);
        self.front.put("\n", origin);
    }

    /// Any other part of the front matter, as TOML.
    pub(super) fn settings(&mut self, toml: &str, origin: Span) {
        self.front.put(toml, origin);
    }

    /// Arrows.
    pub(super) fn put(&mut self, text: &str, origin: Span) {
        self.arrows.put(text, origin);
    }

    /// What looks wrong, or is only recorded.
    pub(super) fn warn(&mut self, warning: Diagnostic) {
        self.warnings.push(warning);
    }

    /// The page.
    pub(super) fn finish(self) -> Page {
        let Writer { front, arrows, warnings, .. } = self;
        let (open, close) = if front.text.is_empty() { ("", "") } else { ("+++\n", "+++\n") };
        let before = (open.len() + front.text.len() + close.len()) as u32;
        let moved = |by: u32| move |(start, origin): (u32, Span)| (start + by, origin);
        let origins = front
            .origins
            .into_iter()
            .map(moved(open.len() as u32))
            .chain(arrows.origins.into_iter().map(moved(before)));
        let origins = Some(origins.collect());
        Page { text: [open, &front.text, close, &arrows.text].concat(), warnings, origins }
    }
}
