//! A line of a person as a command: `/add roles name="…" privileges=["…"]`. What is wrong with it is said with the right form.

use crate::fail::Failure;
use aivm_lang::nearest;
use std::path::PathBuf;
use toml_edit::Value;

/// What `/help` says.
pub const HELP: &str = "\
/help [section]                  this page; or the keys of a section
/create [name]                   begin a new configuration
/load file                       load one from a file
/save [file]                     save it, whole or not at all
/show [section]                  show it; passwords are masked
/add section key=\"value\" …       add to a section, or change what has this name already
/remove section [name=\"value\"]   remove a section, or one of its entries
/quit                            end

For example:
/add roles name=\"DataScientist\" privileges=[\"read\", \"execute\"]
/add repositories name=\"Data\" url=\"https://example.com/data.git\" access_role=\"DataScientist\"
/add stages name=\"Execution\" order=2
/add actions stage=\"Execution\" name=\"ExecuteAlgorithm\" type=\"execute_algorithm\"
/remove roles name=\"DataScientist\"";

const COMMANDS: [&str; 8] = ["help", "create", "load", "save", "show", "add", "remove", "quit"];

/// Keys with their values, in the order in which they are written.
pub type Settings = Vec<(String, Value)>;

/// What a line asks for.
#[derive(Debug)]
pub enum Command {
    /// What can be done, or the keys of a section.
    Help(Option<String>),
    /// A new configuration of this name.
    Create(Option<String>),
    /// That of a file.
    Load(PathBuf),
    /// Into a file.
    Save(Option<PathBuf>),
    /// All of it, or a section.
    Show(Option<String>),
    /// To a section.
    Add(String, Settings),
    /// From a section, or it.
    Remove(String, Settings),
    /// No more.
    Quit,
}

/// The command of a line; none when it is empty or a comment.
pub fn read(text: &str) -> Result<Option<Command>, Failure> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    let Some(name) = command.strip_prefix('/') else {
        return Err(Failure::usage("E1060", "a command begins with a stroke")
            .help("write /add, /show, /save …; /help lists them"));
    };
    // `/add [section] [parameters]`: brackets stand for what is to be filled in, as in a list of commands.
    if COMMANDS.contains(&name) && rest.starts_with('[') {
        return Ok(Some(Command::Help(None)));
    }
    let word = || (!rest.is_empty()).then(|| unquoted(rest).to_owned());
    Ok(Some(match name {
        "help" => Command::Help(word()),
        "create" => Command::Create(word()),
        "load" => match word() {
            Some(file) => Command::Load(file.into()),
            None => return Err(Failure::usage("E1062", "`/load` wants a file").help("write /load ai.toml")),
        },
        "save" if !rest.starts_with('"') && rest.contains(char::is_whitespace) => {
            let failure = Failure::usage("E1062", "`/save` wants one file");
            return Err(failure.help("write /save ai.toml; a name with spaces stands in quotes"));
        }
        "save" => Command::Save(word().map(PathBuf::from)),
        "show" => Command::Show(word()),
        "add" | "remove" => {
            let (section, settings) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            if section.is_empty() {
                let form = format!("write /{name} roles name=\"Developer\"; /help lists the sections");
                return Err(Failure::usage("E1062", format!("`/{name}` wants a section")).help(form));
            }
            let (section, settings) = (section.to_owned(), read_settings(settings)?);
            if name == "add" { Command::Add(section, settings) } else { Command::Remove(section, settings) }
        }
        "quit" | "exit" => Command::Quit,
        _ => {
            let failure = Failure::usage("E1060", format!("there is no command `/{name}`"));
            return Err(match nearest(name, COMMANDS.iter().copied()) {
                Some(near) => failure.help(format!("did you mean `/{near}`?")),
                None => failure.help("/help lists them"),
            });
        }
    }))
}

fn unquoted(text: &str) -> &str {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

/// `key="value" list=["a", "b"] number=3`. Messages name keys and never values, which may be secret.
fn read_settings(mut text: &str) -> Result<Settings, Failure> {
    let mut settings = Settings::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return Ok(settings);
        }
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (key, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let Some(rest) = rest.strip_prefix('=').filter(|_| !key.is_empty()) else {
            let what = if key.is_empty() { "something".to_owned() } else { format!("`{key}`") };
            let form = "write key=\"value\", a text of several words in one pair of quotes";
            return Err(Failure::usage("E1062", format!("{what} stands there without a value")).help(form));
        };
        let rest = rest.trim_start();
        let length = value(key, rest)?;
        let (value, rest) = rest.split_at(length);
        let read = value.parse::<Value>().map_err(|_| {
            let (what, form) = match value.starts_with('[') {
                true => ("is no list of texts", format!("{key}=[\"one\", \"another\"]")),
                false => ("is neither a text in quotes nor a number, `true` or `false`", format!("{key}=\"…\"")),
            };
            Failure::usage("E1062", format!("the value of `{key}` {what}")).help(format!("write {form}"))
        })?;
        if rest.starts_with(|c: char| !c.is_whitespace()) {
            let reason = format!("something stands right behind the value of `{key}`");
            return Err(Failure::usage("E1062", reason)
                .help("leave a space between two settings; a quote within a text is written \\\""));
        }
        if settings.iter().any(|(known, _)| known == key) {
            return Err(Failure::usage("E1062", format!("`{key}` stands there twice")).help("say it once"));
        }
        settings.push((key.to_owned(), read));
        text = rest;
    }
}

/// How many bytes the value has that begins here.
fn value(key: &str, text: &str) -> Result<usize, Failure> {
    let unclosed = |what: &str, form: String| {
        Err(Failure::usage("E1062", format!("the {what} of `{key}` is not closed")).help(format!("write {form}")))
    };
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => match closing(text, quote) {
            Some(end) => Ok(end),
            None => unclosed("quote", format!("{key}={quote}…{quote}")),
        },
        Some('[') => {
            let mut at = 1;
            while let Some(rest) = text.get(at..) {
                let Some(c) = rest.chars().next() else { break };
                at += match c {
                    ']' => return Ok(at + 1),
                    '"' | '\'' => match closing(rest, c) {
                        Some(end) => end,
                        None => return unclosed("quote in the list", format!("{key}=[\"one\", \"another\"]")),
                    },
                    other => other.len_utf8(),
                };
            }
            unclosed("list", format!("{key}=[\"one\", \"another\"]"))
        }
        Some('“' | '”' | '„' | '‘' | '’') => {
            let reason = format!("the value of `{key}` is in curly quotes");
            Err(Failure::usage("E1062", reason).help(format!("write straight ones: {key}=\"…\"")))
        }
        Some(_) => Ok(text.find(char::is_whitespace).unwrap_or(text.len())),
        None => Err(Failure::usage("E1062", format!("`{key}` has no value")).help(format!("write {key}=\"…\""))),
    }
}

/// The byte behind the quote that closes the one at the beginning.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_and_its_settings() {
        let Ok(Some(Command::Add(section, settings))) =
            read(r#"  /add roles name="Data Scientist" privileges=["read", "a]b", "\"q\""] order=3 open = true "#)
        else {
            panic!("it is read")
        };
        let settings: Vec<String> =
            settings.iter().map(|(key, value)| format!("{key}:{}", value.to_string().trim())).collect();
        assert_eq!(section, "roles");
        assert_eq!(
            settings,
            [r#"name:"Data Scientist""#, r#"privileges:["read", "a]b", "\"q\""]"#, "order:3", "open:true"]
        );
        assert!(matches!(read("  "), Ok(None)) && matches!(read("# a comment"), Ok(None)));
        assert!(matches!(read("/save"), Ok(Some(Command::Save(None)))));
        assert!(matches!(read("/add [section] [parameters] - Add a section"), Ok(Some(Command::Help(None)))));
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said_with_the_right_form() {
        for (line, code, says) in [
            ("add roles", "E1060", "begins with a stroke"),
            ("/ad roles", "E1060", "`/ad`"),
            ("/add", "E1062", "wants a section"),
            ("/add roles name", "E1062", "without a value"),
            ("/add roles name=", "E1062", "has no value"),
            ("/add roles name=Data Science", "E1062", "a text in quotes"),
            ("/add roles name=\"Data", "E1062", "quote of `name` is not closed"),
            ("/add roles privileges=[\"a\"", "E1062", "list of `privileges` is not closed"),
            ("/add roles privileges=[a]", "E1062", "no list of texts"),
            ("/add roles name=“Data”", "E1062", "curly quotes"),
            ("/add roles name=\"a\"b=\"c\"", "E1062", "right behind"),
            ("/add roles \"a\"", "E1062", "without a value"),
            ("/load", "E1062", "wants a file"),
            ("/add stages name=\"A\" name=\"B\"", "E1062", "`name` stands there twice"),
            ("/save a.toml extra", "E1062", "one file"),
        ] {
            let failure = read(line).expect_err(line);
            assert_eq!(failure.message().split(':').next(), Some(code), "{line}");
            assert!(failure.message().contains(says), "{line}: {}", failure.message());
        }
    }
}
