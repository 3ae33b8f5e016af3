//! A person at a terminal: editing, history, completion, colours. What is typed means is `entry`'s.

use super::command::COMMANDS;
use super::entry::{self, Entry};
use super::session::Session;
use crate::fail::{Failure, colours};
use crate::library::Files;
use aivm_lang::library::Library;
use rustyline::completion::Completer;
use rustyline::config::{BellStyle, CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, Context, Editor, Helper};
use std::path::PathBuf;

/// What stands before what is typed.
const PROMPT: &str = "aivm> ";
/// So many entries are remembered.
const MOST_REMEMBERED: usize = 1_000;

/// Reads what a person types.
pub struct Typed {
    editor: Editor<Hands, FileHistory>,
    history: Option<PathBuf>,
}

impl Typed {
    /// At the terminal.
    pub fn open() -> Result<Typed, Failure> {
        let coloured = colours(&std::io::stdout());
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .color_mode(if coloured { ColorMode::Enabled } else { ColorMode::Disabled })
            .bell_style(BellStyle::None)
            .max_history_size(MOST_REMEMBERED)
            .map_err(failed)?
            .build();
        let mut editor = Editor::with_config(config).map_err(failed)?;
        editor.set_helper(Some(Hands::default()));
        let history = history();
        if let Some(history) = &history {
            // There is none the first time.
            let _ = editor.load_history(history);
        }
        Ok(Typed { editor, history })
    }

    /// The next entry; none: the end.
    pub fn next(&mut self, session: &Session) -> Result<Option<(String, Entry)>, Failure> {
        if let Some(hands) = self.editor.helper_mut() {
            hands.know(session);
        }
        loop {
            match self.editor.readline(PROMPT) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => {
                    let _ = self.editor.add_history_entry(text.trim_end());
                    self.remember();
                    let entry = entry::read(&text, true);
                    return Ok(Some((text, entry)));
                }
                // What was typed is dropped.
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// A history that cannot be written is no reason to stop.
    fn remember(&mut self) {
        let Some(history) = &self.history else { return };
        if let Some(folder) = history.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let _ = self.editor.append_history(history);
    }
}

fn failed(error: ReadlineError) -> Failure {
    Failure::failed("E0801", format!("cannot read from the terminal: {error}"))
}

/// `~/.local/state/aivm/repl_history`, or where `XDG_STATE_HOME` says.
fn history() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.map(|state| state.join("aivm").join("repl_history"))
}

/// Helps whoever types.
#[derive(Default)]
struct Hands {
    /// Words that mean something here.
    words: Vec<String>,
}

impl Hands {
    fn know(&mut self, session: &Session) {
        let mut words: Vec<String> = session.definitions().map(str::to_owned).collect();
        if let Ok(library) = Files::around(session.file()) {
            words.extend(library.names(session.file()));
        }
        words.sort();
        words.dedup();
        self.words = words;
    }
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
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..at).unwrap_or(line);
        if let Some(command) = typed.strip_prefix(':').filter(|command| !command.contains(' ')) {
            let names = COMMANDS.iter().map(|(name, ..)| *name).filter(|name| name.starts_with(command));
            return Ok((0, names.map(|name| format!(":{name} ")).collect()));
        }
        let start = typed.rfind(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c)).map_or(0, |at| at + 1);
        let word = typed.get(start..).unwrap_or("");
        let fitting = self.words.iter().filter(|known| !word.is_empty() && known.starts_with(word));
        Ok((start, fitting.cloned().collect()))
    }
}

impl Highlighter for Hands {}

impl Hinter for Hands {
    type Hint = String;
}
