//! Who helps a person while they type: where an entry ends, what may stand at the cursor, colours. What is known of a program is the
//! language service's; here it is said as the line editor wants it.

use super::command::COMMANDS;
use super::entry::{self, Entry};
use super::session::Session;
use crate::library::Files;
use crate::out::short;
use crate::store;
use aivm_host::store::values::Selection;
use aivm_lang::library::Library;
use aivm_lang::service::{Document, MarkKind};
use aivm_lang::workflow::Format;
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

/// So many letters are typed before the rest of a word is proposed.
const FEWEST: usize = 2;
/// So many values are proposed.
const MOST_VALUES: usize = 100;

/// Helps whoever types.
#[derive(Default)]
pub struct Hands {
    /// The front matter and the definitions of the session, which stand before what is typed.
    before: String,
    file: String,
    library: Files,
    /// The words of the steps of the session's program.
    steps: Vec<String>,
    /// The runs of the session.
    runs: Vec<String>,
    /// What was typed last, as it was understood.
    last: RefCell<Option<Rc<Seen>>>,
}

/// What was typed, within the text that it is a part of.
struct Seen {
    typed: String,
    /// Where it begins there.
    start: usize,
    document: Document,
}

impl Hands {
    /// What is known now.
    pub fn know(&mut self, session: &Session) {
        self.before = session.source_of("").text;
        session.file().clone_into(&mut self.file);
        self.library = Files::around(session.file()).unwrap_or_default();
        self.steps = session.steps();
        self.runs.clone_from(&session.runs);
        self.last.take();
    }

    /// What is typed, understood; commands are no part of the language.
    fn see(&self, typed: &str) -> Option<Rc<Seen>> {
        if typed.starts_with([':', '/']) {
            return None;
        }
        let mut last = self.last.borrow_mut();
        if let Some(seen) = last.as_ref().filter(|seen| seen.typed == typed) {
            return Some(seen.clone());
        }
        let is_alone = typed.starts_with("+++") || Format::of(typed) != Format::Aivm;
        let before = if is_alone { String::new() } else { format!("{}{}", self.before, entry::opening(typed)) };
        let document = Document::new(&self.file, format!("{before}{typed}"), &self.library);
        let seen = Rc::new(Seen { typed: typed.to_owned(), start: before.len(), document });
        *last = Some(seen.clone());
        Some(seen)
    }

    /// What may stand at the cursor, and where it begins.
    fn propose(&self, line: &str, at: usize) -> (usize, Vec<Pair>) {
        let typed = line.get(..at).unwrap_or(line);
        if let Some(proposed) = self.of_command(typed) {
            return proposed;
        }
        let word = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        if let Some(begun) = typed.get(word..).and_then(|word| word.strip_prefix('@')) {
            return self.values_and_files(typed, word + 1, begun);
        }
        let Some(seen) = self.see(line) else { return (at, Vec::new()) };
        let place = (seen.start + at) as u32;
        let all = seen.document.complete(place, &self.library);
        let Some(start) = all.first().map(|first| first.replace.start) else { return (at, Vec::new()) };
        let begun = seen.document.text().get(start as usize..place as usize).unwrap_or("");
        let fitting = all.iter().filter(|one| one.replace.start == start && one.label.starts_with(begun));
        let pairs = fitting.map(|one| Pair { display: one.label.clone(), replacement: one.insert.clone() }).collect();
        ((start as usize).saturating_sub(seen.start), pairs)
    }

    /// The values that the runs of this session keep, by the beginnings of their checksums. Nobody is told here what is wrong with the store.
    fn values(&self) -> Vec<String> {
        let Ok(values) = store::values() else { return Vec::new() };
        let of_run = |run: &String| {
            let selection = Selection { run: Some(run.clone()), ..Selection::default() };
            let some = selection.of(&*values, "").flatten().take(MOST_VALUES);
            some.map(|entry| short(entry.checksum)).collect::<Vec<_>>()
        };
        self.runs.iter().rev().flat_map(of_run).take(MOST_VALUES).collect()
    }

    /// What may follow an `@`, which stands before this byte.
    fn values_and_files(&self, typed: &str, start: usize, begun: &str) -> (usize, Vec<Pair>) {
        let mut all = pairs(self.values().into_iter(), begun);
        let (at, files) = files(typed, start);
        // In another folder there are no values.
        if at == start {
            all.extend(files);
            return (start, all);
        }
        (at, files)
    }

    /// The same of a command; none: it is none.
    fn of_command(&self, typed: &str) -> Option<(usize, Vec<Pair>)> {
        if !typed.starts_with([':', '/']) {
            return None;
        }
        let Some((command, _)) = typed.split_once(' ') else {
            let names = COMMANDS.iter().filter(|(name, ..)| !name.starts_with('/')).map(|(name, form, _)| {
                let space = if form.is_empty() { "" } else { " " };
                format!(":{name}{space}")
            });
            return Some((0, pairs(names, typed)));
        };
        let word = typed.rfind(' ').map_or(0, |at| at + 1);
        let begun = typed.get(word..).unwrap_or("");
        Some(match command {
            ":load" | ":save" | ":save!" | "/load" | "/save" => files(typed, command.len() + 1),
            ":run" | ":set" if begun.starts_with('@') => {
                self.values_and_files(typed, word + 1, begun.trim_start_matches('@'))
            }
            ":artifact" => (word, pairs(self.values().into_iter(), begun)),
            ":diff" if begun.starts_with('@') => {
                (word + 1, pairs(self.values().into_iter(), begun.trim_start_matches('@')))
            }
            ":diff" => {
                (word, pairs(self.runs.iter().cloned().chain(self.values().iter().map(|id| format!("@{id}"))), begun))
            }
            ":workers" => (word, pairs(["mock", "live"].map(str::to_owned).into_iter(), begun)),
            ":break" | ":unbreak" | ":fork" | ":why" => (word, pairs(self.steps.iter().cloned(), begun)),
            ":help" => (word, pairs(self.library.names(&self.file).into_iter(), begun)),
            _ => (word, Vec::new()),
        })
    }
}

fn pairs(words: impl Iterator<Item = String>, begun: &str) -> Vec<Pair> {
    let fitting = words.filter(|word| word.starts_with(begun));
    let mut pairs: Vec<Pair> = fitting.map(|word| Pair { display: word.clone(), replacement: word }).collect();
    pairs.sort_by(|one, other| one.display.cmp(&other.display));
    pairs.dedup_by(|one, other| one.display == other.display);
    pairs
}

/// Files whose path begins as what stands from this byte on.
fn files(typed: &str, start: usize) -> (usize, Vec<Pair>) {
    let path = typed.get(start..).unwrap_or("");
    let found = FilenameCompleter::new().complete_path(path, path.len());
    found.map_or((start, Vec::new()), |(at, pairs)| (start + at, pairs))
}

impl Helper for Hands {}

impl Validator for Hands {
    /// An empty line ends whatever is being typed.
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let ended = text.rsplit_once('\n').is_some_and(|(_, last)| last.trim().is_empty());
        Ok(match entry::read(text, ended) {
            Entry::Incomplete => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

impl Completer for Hands {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        Ok(self.propose(line, at))
    }
}

/// What is shown behind the cursor.
pub struct Proposal {
    shown: String,
    /// It is text that can be taken over, not a form to fill in.
    is_text: bool,
}

impl Hint for Proposal {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.is_text.then_some(&self.shown)
    }
}

impl Hinter for Hands {
    type Hint = Proposal;

    /// The rest of the word that is most likely, or what a command is given.
    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<Proposal> {
        if at < line.len() {
            return None;
        }
        if let Some(command) = line.strip_prefix(':').and_then(|command| command.strip_suffix(' ')) {
            let (_, form, _) = COMMANDS.iter().find(|(name, ..)| *name == command)?;
            return Some(Proposal { shown: (*form).to_owned(), is_text: false });
        }
        let names_a_value = [":artifact ", ":diff "].iter().any(|command| line.starts_with(command))
            || line.rsplit([' ', '\n']).next().is_some_and(|word| word.starts_with('@'));
        if names_a_value {
            // The store is asked when somebody asks, and not at each key.
            return None;
        }
        let (start, pairs) = self.propose(line, at);
        let begun = line.get(start..).filter(|begun| begun.len() >= FEWEST)?;
        let rest = pairs.first()?.replacement.strip_prefix(begun).filter(|rest| !rest.is_empty())?;
        Some(Proposal { shown: rest.lines().next().unwrap_or("").to_owned(), is_text: true })
    }
}

impl Highlighter for Hands {
    fn highlight<'l>(&self, line: &'l str, at: usize) -> Cow<'l, str> {
        let Some(seen) = self.see(line) else { return Cow::Borrowed(line) };
        let marks = seen.document.marks().into_iter().filter_map(|mark| {
            let start = (mark.span.start as usize).checked_sub(seen.start)?;
            Some((start, mark.span.end as usize - seen.start, colour(mark.kind)))
        });
        let pair = pair(line, at).into_iter().flatten().map(|at| (at, at + 1, "1;4"));
        let mut marks: Vec<(usize, usize, &str)> =
            marks.chain(pair).filter(|(.., colour)| !colour.is_empty()).collect();
        marks.sort_unstable();
        let (mut out, mut done) = (String::with_capacity(line.len() * 2), 0);
        for (start, end, colour) in marks {
            let (Some(before), Some(word)) = (line.get(done..start), line.get(start..end)) else { continue };
            out.push_str(&format!("{before}\x1b[{colour}m{word}\x1b[0m"));
            done = end;
        }
        out.push_str(line.get(done..).unwrap_or(""));
        Cow::Owned(out)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(format!("\x1b[2m{hint}\x1b[0m"))
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Owned(format!("\x1b[1;36m{prompt}\x1b[0m"))
    }

    fn highlight_char(&self, line: &str, _: usize, _: CmdKind) -> bool {
        !line.starts_with([':', '/'])
    }
}

/// The colour of what a word is.
fn colour(kind: MarkKind) -> &'static str {
    match kind {
        MarkKind::Keyword => "35",
        MarkKind::Outcome => "33",
        MarkKind::Worker => "36",
        MarkKind::Definition => "1;36",
        MarkKind::Label | MarkKind::Behaviour | MarkKind::Verdict => "32",
        MarkKind::Number => "34",
        MarkKind::Comment => "2",
        MarkKind::Operator => "",
    }
}

/// The bracket before the cursor, and its other half.
fn pair(line: &str, at: usize) -> Option<[usize; 2]> {
    const PAIRS: [(u8, u8); 2] = [(b'(', b')'), (b'[', b']')];
    let bytes = line.as_bytes();
    let here = at.checked_sub(1)?;
    let bracket = *bytes.get(here)?;
    let (open, close) = *PAIRS.iter().find(|(open, close)| [*open, *close].contains(&bracket))?;
    let mut depth = 0;
    let mut closes = |(at, byte): (usize, &u8)| {
        depth += i32::from(*byte == open) - i32::from(*byte == close);
        (depth == 0).then_some(at)
    };
    let other = match bracket == open {
        true => bytes.iter().enumerate().skip(here).find_map(&mut closes),
        false => bytes.iter().enumerate().take(at).rev().find_map(&mut closes),
    };
    Some([here, other?])
}
