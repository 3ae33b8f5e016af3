//! `:help WORD`: commands, words of the language, workers, codes of errors.

use super::Repl;
use super::command::COMMANDS;
use crate::args::{ExplainArgs, WorkerArgs, WorkerCommand};
use crate::fail::Failure;
use crate::out::plain;
use crate::{explain, worker};
use aivm_lang::front::FrontMatter;
use aivm_lang::service::meaning;

/// What is typed besides commands.
const FORMS: &str = "\
out <= ( … ) <= in         a program: it runs; `<= \"text\"` or `<= @FILE` for `in` says what goes in
word <= ( … )              a definition: kept for this session
worker <= \"text\"           one step alone; `<= @ID` for a value of the store
TOML or YAML               pasted: shows the arrows that it becomes
An empty line ends what is being typed; Ctrl-C drops it, or cancels the run that goes on.";

impl Repl<'_> {
    /// `:help [WORD]`.
    pub fn help(&self, word: Option<&str>) -> Result<(), Failure> {
        let Some(word) = word else {
            println!("{FORMS}\n");
            for (name, form, does) in COMMANDS {
                println!("{:<32} {does}", written(name, form));
            }
            return Ok(());
        };
        let name = word.trim_start_matches(':');
        // `back` is both.
        let command = COMMANDS.iter().find(|(known, ..)| known.split(' ').next() == Some(name));
        let of_the_language = meaning(word);
        if let Some((known, form, does)) = command {
            println!("{}: {does}", written(known, form));
        }
        if let Some(meaning) = of_the_language {
            println!("{}", meaning.replace('`', ""));
        }
        if command.is_some() || of_the_language.is_some() {
            return Ok(());
        }
        let is_code =
            word.len() == 5 && word.starts_with(['E', 'e']) && word.chars().skip(1).all(|c| c.is_ascii_digit());
        if is_code {
            return explain::explain(self.global, &ExplainArgs { code: Some(word.to_owned()) }).map(drop);
        }
        if self.session.definitions().any(|known| known == word) {
            println!("{word} is a definition of this session: :session shows it");
            return Ok(());
        }
        let front = FrontMatter::parse(self.session.front()).unwrap_or_default();
        if let Some(own) = front.worker.get(word) {
            print!("{}", worker::page(word, own));
            return Ok(());
        }
        let command = WorkerCommand::Show { word: plain(word) };
        worker::worker(self.global, &WorkerArgs { command }).map(drop)
    }
}

/// A command as it is typed.
fn written(name: &str, form: &str) -> String {
    let colon = if name.starts_with('/') { "" } else { ":" };
    format!("{colon}{name} {form}").trim_end().to_owned()
}
