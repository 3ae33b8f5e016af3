//! A person at a terminal: editing and history. Who helps them while they type is `hands`', what they typed `entry`'s.

use super::entry::{self, Entry};
use super::hands::Hands;
use super::session::{Session, has_secret};
use crate::fail::{Failure, colours};
use rustyline::config::{BellStyle, CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, Editor};
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
                    if !has_secret(&text) {
                        let _ = self.editor.add_history_entry(text.trim_end());
                        self.remember();
                    }
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
