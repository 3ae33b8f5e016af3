//! The commands: `:step`, `:break verify=>back`. How a line is read, and what is said of each.

use crate::args::Workers;
use crate::fail::Failure;
use aivm_lang::nearest;

/// What a line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What can be done, or what a word means.
    Help(Option<String>),
    /// Who answers; none: who does now?
    Workers(Option<Workers>),
    /// Begin anew with a file.
    Load(String),
    /// Write definitions and program into a file; also over one that is somebody else's?
    Save(Option<String>, bool),
    /// The program as a picture.
    Graph,
    /// The most that it can take.
    Cost,
    /// From the beginning, with this input or what is set.
    Run(Option<String>),
    /// One call.
    Step,
    /// On, to the next breakpoint or the end.
    Continue,
    /// To before the last call.
    Back,
    /// Stop there; none: where does it stop?
    Break(Option<String>),
    /// Stop there no longer, or nowhere.
    Unbreak(Option<String>),
    /// Another run, that stands before this step.
    Fork(Option<String>),
    /// Why a step led where it did.
    Why(Option<String>),
    /// The content of a value.
    Artifact(String),
    /// The values of the run.
    Artifacts,
    /// Where two runs part.
    Diff(Option<(String, String)>),
    /// What goes in where nothing is said.
    SetInput(Option<String>),
    /// `KEY=VALUE`
    Params(Vec<String>),
    /// What this session knows.
    Session,
    /// The end.
    Quit,
}

/// Every command with what follows it and what it does.
pub const COMMANDS: [(&str, &str, &str); 23] = [
    ("run", "[INPUT]", "run the program from its beginning: TEXT, @FILE or @ID goes in"),
    ("step", "", "make the next call, and stop behind it"),
    ("cont", "", "go on to the next breakpoint, or to the end"),
    ("back", "", "stand where the run stood before its last call"),
    ("break", "[STEP | STEP=>WORD]", "stop before a step, or when it takes that edge"),
    ("unbreak", "[STEP | STEP=>WORD]", "stop there no longer; alone: nowhere"),
    ("fork", "[STEP]", "another run, that stands before this step as this one did"),
    ("why", "[STEP]", "why a step led where it did"),
    ("diff", "[RUN RUN | @ID @ID]", "where two runs part, or two values differ; alone: the last two runs"),
    ("artifacts", "", "the values of the run"),
    ("artifact", "ID", "what a value holds"),
    ("graph", "", "the program, drawn"),
    ("cost", "", "the most that it can call, take and spend"),
    ("set in", "TEXT | @FILE | @ID", "what goes in where nothing is said"),
    ("params", "KEY=VALUE …", "parameters of the program"),
    ("workers", "mock | live", "who answers: the scripts of workers, or they themselves"),
    ("load", "FILE", "begin anew with a program: arrows, TOML or YAML"),
    ("save", "[FILE]", "write definitions and program, in the one layout"),
    ("save!", "[FILE]", "the same, also over a file that the session did not read or write"),
    ("session", "", "definitions, program, breakpoints and runs"),
    ("help", "[WORD]", "this page; or a command, a word of the language, a worker, a code"),
    ("quit", "", "end, as Ctrl-D does"),
    ("/help", "", "commands that write aiTWS: /create, /add, /show, /save"),
];

/// Reads a line, without its colon.
pub fn read(line: &str) -> Result<Command, Failure> {
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let given = (!rest.is_empty()).then(|| rest.to_owned());
    let words: Vec<&str> = rest.split_whitespace().collect();
    Ok(match (name, words.as_slice()) {
        ("help" | "h" | "?", _) => Command::Help(given),
        ("workers", []) => Command::Workers(None),
        ("workers", ["mock"]) => Command::Workers(Some(Workers::Mock)),
        ("workers", ["live"]) => Command::Workers(Some(Workers::Live)),
        ("load", [_, ..]) => Command::Load(rest.to_owned()),
        ("save", _) => Command::Save(given, false),
        ("save!", _) => Command::Save(given, true),
        ("graph", []) => Command::Graph,
        ("cost", []) => Command::Cost,
        ("run" | "r", _) => Command::Run(given),
        ("step" | "s", []) => Command::Step,
        ("cont" | "c", []) => Command::Continue,
        ("back" | "b", []) => Command::Back,
        ("break", _) => Command::Break(given.map(|place| place.replace(char::is_whitespace, ""))),
        ("unbreak", _) => Command::Unbreak(given.map(|place| place.replace(char::is_whitespace, ""))),
        ("fork", [] | [_]) => Command::Fork(given),
        ("why", [] | [_]) => Command::Why(given),
        ("artifact", [one]) => Command::Artifact(one.trim_start_matches('@').to_owned()),
        ("artifacts", []) => Command::Artifacts,
        ("diff", []) => Command::Diff(None),
        ("diff", [one, other]) => Command::Diff(Some(((*one).to_owned(), (*other).to_owned()))),
        ("set", ["in"]) => Command::SetInput(None),
        ("set", ["in", ..]) => {
            let text = rest.strip_prefix("in").unwrap_or(rest).trim_start();
            Command::SetInput(Some(text.to_owned()))
        }
        ("params", _) => Command::Params(words.iter().map(|&word| word.to_owned()).collect()),
        ("session", []) => Command::Session,
        ("quit" | "exit" | "q", []) => Command::Quit,
        (name, _) => return Err(wrong(name)),
    })
}

/// What a command wants, or which one was meant.
fn wrong(name: &str) -> Failure {
    let known = COMMANDS.iter().find(|(known, ..)| known.split(' ').next() == Some(name));
    if let Some((known, form, _)) = known {
        let failure = Failure::usage("E0956", format!("`:{name}` is not given so"));
        return failure.help(format!("write :{known} {form}").trim_end().to_owned());
    }
    let names = COMMANDS.iter().filter_map(|(known, ..)| known.split(' ').next());
    let failure = Failure::usage("E0956", format!("there is no command `:{name}`"));
    failure.help(match nearest(name, names) {
        Some(near) => format!("did you mean `:{near}`?"),
        None => ":help lists them".to_owned(),
    })
}
