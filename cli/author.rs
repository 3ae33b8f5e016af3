//! `author`: a configuration of aiTWS is written by commands, `/add roles name="…"`, typed or on standard input.
//!
//! Here: who is asked and who is told. How a line is read is `line`'s, what it changes `configuration`'s, which keeps comments and order.

use crate::args::{AuthorArgs, Global};
use crate::fail::{Exit, Failure};
use crate::out::plain;
use crate::{compile, project};
use aivm_lang::workflow::Format;
use configuration::Configuration;
use line::Command;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

mod configuration;
mod line;

/// What whoever sits at a terminal is greeted with.
const GREETING: &str = "To start creating an aiTWS configuration, use the /create command. If you need assistance at any time, use the /help command.
Please note that your input should be in the format /command [parameter1] [param2] [param3].";

/// A longer line is none that somebody typed.
const LONGEST: u64 = 1 << 20;

/// What is being written, and where to.
#[derive(Default)]
pub struct Session {
    configuration: Configuration,
    file: Option<PathBuf>,
    /// Is there something that was not saved?
    changed: bool,
    /// Was the end asked for?
    pub ended: bool,
}

/// `aivm author [FILE]`.
pub fn author(global: &Global, args: &AuthorArgs) -> Result<Exit, Failure> {
    let mut session = Session { file: args.file.clone(), ..Session::default() };
    if let Some(file) = args.file.as_ref().filter(|file| file.exists()) {
        session.configuration = read(file)?;
    }
    let typed = std::io::stdin().is_terminal();
    if typed && !global.json {
        eprintln!("{GREETING}\n");
    }
    let mut rows = Vec::new();
    let mut exit = Exit::SENT;
    let mut input = std::io::stdin().lock();
    for number in 1.. {
        let Some(text) = next(&mut input, typed && !global.json)? else { break };
        match session.obey_line(&text) {
            Ok(None) => continue,
            Ok(Some(said)) if global.json => rows.push(json!({"line": number, "said": said})),
            Ok(Some(said)) => println!("{}", said.trim_end()),
            Err(failure) => {
                exit = if typed { exit } else { Exit::USAGE };
                match (global.json, &failure) {
                    (true, Failure::Other { code, message, help, .. }) => {
                        rows.push(json!({"line": number, "error": {"code": code, "message": message, "help": help}}));
                    }
                    (false, _) if !typed => {
                        eprint!("line {number}: ");
                        failure.show(false);
                    }
                    _ => _ = failure.show(false),
                }
            }
        }
        if session.ended {
            break;
        }
    }
    if global.json {
        println!("{}", json!({"v": 1, "file": session.file, "saved": !session.changed, "lines": Value::from(rows)}));
    } else if session.changed {
        eprintln!("what was changed is not saved: end with  /save FILE");
    }
    Ok(exit)
}

/// The next line that somebody types, or that stands on standard input.
fn next(input: &mut impl BufRead, typed: bool) -> Result<Option<String>, Failure> {
    if typed {
        eprint!("> ");
        let _ = std::io::stderr().flush();
    }
    let mut text = String::new();
    let failed = |error: String| Failure::usage("E0801", format!("cannot read standard input: {error}"));
    let length = input.by_ref().take(LONGEST).read_line(&mut text).map_err(|error| failed(error.to_string()))?;
    if length as u64 == LONGEST {
        return Err(failed(format!("a line is longer than {LONGEST} bytes")));
    }
    Ok((length > 0).then_some(text))
}

/// A configuration from its file.
fn read(file: &Path) -> Result<Configuration, Failure> {
    let name = file.display().to_string();
    let text = project::read_program(&name)?;
    let text = String::from_utf8(text).map_err(|_| Failure::usage("E0102", format!("{name} is not UTF-8")))?;
    if Format::of(&text) == Format::Workflow {
        return Err(Failure::usage("E1066", format!("{name} cannot be loaded: it is a workflow of steps, not aiTWS"))
            .help("write another file by commands: aivm author ai.toml"));
    }
    Configuration::parse(&text).map_err(|reason| {
        Failure::usage("E1066", format!("{name} cannot be loaded: {reason}"))
            .help(format!("mend it by hand; aivm check --format aitws {name} shows the place"))
    })
}

impl Session {
    /// The same of a line; none asks for nothing.
    pub fn obey_line(&mut self, text: &str) -> Result<Option<String>, Failure> {
        line::read(text)?.map(|command| self.obey(command)).transpose()
    }

    /// Does what a line asks for, and says what was done.
    fn obey(&mut self, command: Command) -> Result<String, Failure> {
        match command {
            Command::Help(None) => Ok(line::HELP.to_owned()),
            Command::Help(Some(of)) => Configuration::explain(&of),
            Command::Create(name) => {
                self.changed = true;
                self.configuration = Configuration::create(name.as_deref().unwrap_or("New aiTWS configuration"));
                Ok("a new configuration is begun: /add SECTION key=\"value\" …, then /save FILE".to_owned())
            }
            Command::Load(file) => {
                self.configuration = read(&file)?;
                self.changed = false;
                let said = format!("loaded {}", plain(&file.display().to_string()));
                self.file = Some(file);
                Ok(said)
            }
            Command::Save(file) => {
                let Some(file) = file.or_else(|| self.file.clone()) else {
                    return Err(
                        Failure::usage("E1067", "nothing says where to save").help("name a file: /save ai.toml")
                    );
                };
                compile::write_whole(&file, self.configuration.text().as_bytes())?;
                self.changed = false;
                let said = format!("saved {}", plain(&file.display().to_string()));
                self.file = Some(file);
                Ok(said)
            }
            Command::Show(section) => self.configuration.show(section.as_deref()),
            Command::Add(section, settings) => {
                let said = self.configuration.add(&section, &settings)?;
                self.changed = true;
                Ok(said)
            }
            Command::Remove(section, settings) => {
                let said = self.configuration.remove(&section, &settings)?;
                self.changed = true;
                Ok(said)
            }
            Command::Quit => {
                self.ended = true;
                Ok(String::new())
            }
        }
    }
}
