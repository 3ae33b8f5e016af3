//! How the program ends when it does not do what it was asked: a code, a message on standard error, or JSON.

use aivm_lang::diagnostic::{Diagnostic, Severity};
use aivm_lang::workflow::Reading;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::process::ExitCode;

/// The exit codes; the same in every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(u8);

impl Exit {
    /// Sent; or simply done.
    pub const SENT: Exit = Exit(0);
    /// Cancelled, failed, exhausted.
    pub const FAILED: Exit = Exit(1);
    /// Wrong usage, or an error in a program.
    pub const USAGE: Exit = Exit(2);
    /// The store, a run in it or the file of one is damaged, or cannot be read or written.
    pub const STORE: Exit = Exit(3);
    /// Parked: it waits for somebody.
    pub const PARKED: Exit = Exit(4);
    /// Timed out.
    pub const TIMEOUT: Exit = Exit(5);
    /// Something could not be undone.
    pub const NOT_UNDONE: Exit = Exit(7);
    /// Interrupted.
    pub const INTERRUPTED: Exit = Exit(130);

    /// The store's, when the code of an error is one of its own.
    fn or(self, code: &str) -> Exit {
        const STORE: [&str; 17] = [
            "E0750", "E0751", "E0752", "E0753", "E0756", "E0757", "E0758", "E0759", "E0765", "E0781", "E0782", "E0784",
            "E0786", "E0833", "E0871", "E0872", "E0873",
        ];
        if STORE.contains(&code) { Exit::STORE } else { self }
    }

    /// Of several, the one that the command ends with.
    #[cfg(feature = "store")]
    pub fn worse(self, other: Exit) -> Exit {
        const ORDER: [Exit; 7] =
            [Exit::PARKED, Exit::TIMEOUT, Exit::USAGE, Exit::FAILED, Exit::STORE, Exit::NOT_UNDONE, Exit::INTERRUPTED];
        let place = |exit: Exit| ORDER.iter().position(|one| *one == exit);
        if place(other) > place(self) { other } else { self }
    }

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.0)
    }
}

/// A source text with its name.
#[derive(Clone, Debug)]
pub struct Source {
    /// As it was given.
    pub name: String,
    /// What it says.
    pub text: String,
    /// How it is read. Messages name the file, of those laid over each other, that they are about.
    pub reading: Reading,
}

impl Source {
    /// Its name, with those of the files that are laid over it.
    pub fn names(&self) -> String {
        let over: Vec<&str> = self.reading.over.iter().map(|layer| layer.name.as_str()).collect();
        if over.is_empty() { self.name.clone() } else { format!("{} with {}", self.name, over.join(", ")) }
    }

    /// Messages about it, each with its file, line and column.
    pub fn told_in_json(&self, diagnostics: &[Diagnostic]) -> Vec<Value> {
        let told = diagnostics.iter().map(|diagnostic| {
            let (file, text, diagnostic) = self.reading.told(&self.name, &self.text, diagnostic);
            aivm_lang::render::to_json(file, text, &diagnostic)
        });
        told.collect()
    }
}

/// Why a command was not carried out.
#[derive(Debug)]
pub enum Failure {
    /// Errors in a program.
    Program {
        /// The text that they are in.
        source: Source,
        /// All of them.
        diagnostics: Vec<Diagnostic>,
    },
    /// Anything else.
    Other {
        /// Stable.
        code: String,
        /// What happened, where, why.
        message: String,
        /// What to do.
        help: Option<String>,
        /// With which code the program ends.
        exit: Exit,
    },
}

impl Failure {
    /// Wrong usage.
    pub fn usage(code: &str, message: impl Into<String>) -> Failure {
        Failure::Other { code: code.to_owned(), message: message.into(), help: None, exit: Exit::USAGE.or(code) }
    }

    /// Something failed that was not the caller's doing.
    pub fn failed(code: &str, message: impl Into<String>) -> Failure {
        Failure::Other { code: code.to_owned(), message: message.into(), help: None, exit: Exit::FAILED.or(code) }
    }

    /// What the lean build cannot do.
    #[cfg(not(feature = "store"))]
    pub fn no_store() -> Failure {
        Failure::usage("E0814", "this aivm was built without a store: it keeps no artifacts and no runs")
            .help("install with one: cargo install --path .")
    }

    /// What a build without S3 cannot do.
    #[cfg(not(feature = "s3"))]
    pub fn no_bucket() -> Failure {
        Failure::usage("E0875", "this aivm was built without S3: it keeps values on disk alone")
            .help("install with it: cargo install --path .")
    }

    /// What a build without a memory cannot do.
    #[cfg(all(feature = "store", not(feature = "memory")))]
    pub fn no_memory() -> Failure {
        Failure::usage("E0996", "this aivm was built without a memory").help("install with one: cargo install --path .")
    }

    /// What a build without servers cannot do.
    #[cfg(not(feature = "serve"))]
    pub fn no_servers() -> Failure {
        Failure::usage("E0940", "this aivm was built without its servers")
            .help("install with them: cargo install --path .")
    }

    /// The code; none of a program, which may have several.
    #[cfg(feature = "store")]
    pub fn code(&self) -> &str {
        match self {
            Failure::Program { .. } => "",
            Failure::Other { code, .. } => code,
        }
    }

    /// Adds what to do.
    pub fn help(self, text: impl Into<String>) -> Failure {
        match self {
            Failure::Other { code, message, exit, .. } => {
                Failure::Other { code, message, help: Some(text.into()), exit }
            }
            program @ Failure::Program { .. } => program,
        }
    }

    /// The same with another exit code.
    pub fn ending_with(self, exit: Exit) -> Failure {
        match self {
            Failure::Other { code, message, help, .. } => Failure::Other { code, message, help, exit },
            program @ Failure::Program { .. } => program,
        }
    }

    /// What to do, where that is known.
    #[cfg(feature = "serve")]
    pub fn way_out(&self) -> Option<&str> {
        match self {
            Failure::Program { .. } => None,
            Failure::Other { help, .. } => help.as_deref(),
        }
    }

    /// What happened, in one line.
    pub fn message(&self) -> String {
        match self {
            Failure::Program { source, .. } => format!("{} has errors", source.names()),
            Failure::Other { code, message, .. } => format!("{code}: {message}"),
        }
    }

    /// Says it, and gives the exit code.
    pub fn show(&self, json: bool) -> Exit {
        match self {
            Failure::Program { source, diagnostics } => {
                if json {
                    println!(
                        "{}",
                        json!({"v": 1, "file": source.name, "diagnostics": source.told_in_json(diagnostics)})
                    );
                } else {
                    show_diagnostics(source, diagnostics);
                }
                Exit::USAGE
            }
            Failure::Other { code, message, help, exit } => {
                if json {
                    println!("{}", json!({"v": 1, "error": {"code": code, "message": message, "help": help}}));
                } else {
                    eprintln!("error[{code}]: {message}");
                    if let Some(help) = help {
                        eprintln!("  help: {help}");
                    }
                }
                *exit
            }
        }
    }
}

/// Shows diagnostics to a person, and how many there are.
pub fn show_diagnostics(source: &Source, diagnostics: &[Diagnostic]) {
    let colour = colours(&std::io::stderr());
    for diagnostic in diagnostics {
        let (file, text, diagnostic) = source.reading.told(&source.name, &source.text, diagnostic);
        eprint!("{}", aivm_lang::render::report(file, text, &diagnostic, colour));
    }
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count();
    if errors > 0 {
        let code = diagnostics
            .iter()
            .find(|diagnostic| diagnostic.severity() == Severity::Error)
            .map_or("", |first| first.code.text());
        let plural = if errors == 1 { "" } else { "s" };
        eprintln!("{errors} error{plural} in {}; more about one: aivm explain {code}", source.names());
    }
}

/// A failure whose text begins with its code, as those of the libraries do.
pub fn coded(text: &str) -> Failure {
    let (code, message) = text.split_once(": ").filter(|(code, _)| code.len() == 5).unwrap_or(("E0800", text));
    Failure::usage(code, message)
}

/// The same of what was under way already.
pub fn failed(text: &str) -> Failure {
    match coded(text) {
        Failure::Other { code, message, .. } => Failure::failed(&code, message),
        program @ Failure::Program { .. } => program,
    }
}

/// Should this stream be coloured?
pub fn colours(stream: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if set("NO_COLOR") { false } else { set("CLICOLOR_FORCE") || stream.is_terminal() }
}
