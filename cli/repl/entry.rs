//! What somebody has typed or pasted: a command, arrows, a single step, a file of TOML or YAML; or something that is not at its end yet.
//! Only the grammar is looked at: what names mean is the compiler's.

use super::brackets::Brackets;
use aivm_lang::diagnostic::{Code, Diagnostic};
use aivm_lang::parser::{Parsed, parse};
use aivm_lang::span::Span;
use aivm_lang::workflow::Format;
use aivm_schema::worker::split_front_matter;
use std::fmt;

/// What was typed.
#[derive(Debug)]
pub enum Entry {
    /// Nothing that means anything.
    Nothing,
    /// More must follow.
    Incomplete,
    /// `:command …`, without its colon.
    Command(String),
    /// `/command …`: of whoever writes aiTWS.
    Author(String),
    /// A file of TOML or YAML.
    Workflow(Format),
    /// Definitions, a program, or both.
    Arrows(Pieces, Option<Given>),
    /// A step or a chain of stages that stands alone.
    Bare(Bare),
    /// A text with errors.
    Wrong(String, Vec<Diagnostic>),
}

/// What a text of arrows consists of; joined in this order, they are that text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// The TOML between the two `+++` lines.
    pub front: Option<String>,
    /// Each definition by its name.
    pub definitions: Vec<(String, String)>,
    /// `out <= … <= in`
    pub program: Option<String>,
}

/// What stands alone, and is made into a program.
#[derive(Debug)]
pub struct Bare {
    /// `out <= ( … ) <= in` around it.
    pub program: String,
    /// The step, when its outcomes are not said: it is followed by `next`, and by what [`single`] is told.
    pub step: Option<String>,
    /// What goes in.
    pub given: Option<Given>,
}

/// What stands at the end, where a program has `in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// `"text"`
    Text(String),
    /// `@FILE`, or the `@ID` of an artifact.
    Stored(String),
}

/// The outcome of a step that says none.
pub const NEXT: &str = "next";
/// The smallest program, behind definitions that have none.
const EMPTY: &str = "\nout <= () <= in\n";

/// Reads what was typed. `ended`: no more will follow.
pub fn read(text: &str, ended: bool) -> Entry {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.lines().all(|line| line.trim_start().starts_with(';')) {
        return Entry::Nothing;
    }
    if let Some(command) = trimmed.strip_prefix(':') {
        return Entry::Command(command.trim().to_owned());
    }
    if trimmed.starts_with('/') {
        return Entry::Author(trimmed.to_owned());
    }
    match Format::of(text) {
        Format::Aivm => {}
        _ if !ended => return Entry::Incomplete,
        format => return Entry::Workflow(format),
    }
    if !ended && Brackets::of(text).are_open() {
        return Entry::Incomplete;
    }
    match arrows(text, ended) {
        Entry::Incomplete if ended => Entry::Wrong(text.to_owned(), parse(text).diagnostics),
        entry => entry,
    }
}

fn arrows(text: &str, ended: bool) -> Entry {
    let (behind, given) = match given(text) {
        Ok(cut) => cut,
        Err(wrong) if !ended && wrong.code == Code::Unclosed => return Entry::Incomplete,
        Err(wrong) => return Entry::Wrong(text.to_owned(), vec![*wrong]),
    };
    let whole = if given.is_some() { format!("{behind} <= in\n") } else { text.to_owned() };
    let parsed = parse(&whole);
    if parsed.diagnostics.is_empty() {
        return Entry::Arrows(pieces(&whole, &parsed), given);
    }
    let front = text.len() - split_front_matter(text).1.len();
    let (front, body) = behind.split_at(front.min(behind.len()));
    match Sort::of(body) {
        Sort::Program => match given.is_none() && parsed.incomplete {
            true => Entry::Incomplete,
            false => Entry::Wrong(whole, parsed.diagnostics),
        },
        Sort::Definitions => {
            let with_program = format!("{behind}{EMPTY}");
            let completed = parse(&with_program);
            match completed.diagnostics.is_empty() {
                true => Entry::Arrows(Pieces { program: None, ..pieces(&with_program, &completed) }, None),
                false if parsed.incomplete => Entry::Incomplete,
                // What is wrong with them is not that no program follows.
                false => Entry::Wrong(with_program, completed.diagnostics),
            }
        }
        _ if !front.is_empty() => Entry::Wrong(whole, parsed.diagnostics),
        Sort::Stages => {
            let body = body.trim();
            let body = body.strip_suffix("in").map_or(body, |rest| rest.trim_end().strip_suffix("<=").unwrap_or(body));
            bare(body.trim_end(), format!("out <= (\n{}\n) <= in\n", body.trim_end()), None, given)
        }
        Sort::Step if body.contains("=>") => bare(body.trim(), single(body.trim(), &[]), None, given),
        Sort::Step => bare(body.trim(), single(body.trim(), &[NEXT]), Some(body.trim().to_owned()), given),
    }
}

/// The program of one step.
pub fn single(step: &str, outcomes: &[&str]) -> String {
    let arrow = if outcomes.is_empty() { "" } else { " => " };
    format!("out <= ( switch <= ( {step}{arrow}{} ) ) <= in\n", outcomes.join(" | "))
}

/// Something that stands alone, in the program around it.
fn bare(body: &str, program: String, step: Option<String>, given: Option<Given>) -> Entry {
    let parsed = parse(&program);
    if parsed.diagnostics.is_empty() {
        return Entry::Bare(Bare { program, step, given });
    }
    let goes_on = ["<=", "=>", "|", "~", ",", "*"].iter().any(|end| body.ends_with(end));
    match given.is_none() && goes_on {
        true => Entry::Incomplete,
        false => Entry::Wrong(program, parsed.diagnostics),
    }
}

/// What makes a program of a text that is being typed, and stands before it.
pub fn opening(text: &str) -> &'static str {
    match Sort::of(text) {
        Sort::Program | Sort::Definitions => "",
        Sort::Stages => "out <= (\n",
        Sort::Step => "out <= ( switch <= ( ",
    }
}

/// What a text without front matter begins with.
enum Sort {
    Program,
    Definitions,
    Stages,
    Step,
}

impl Sort {
    fn of(body: &str) -> Sort {
        let said = body.lines().map(|line| line.split(';').next().unwrap_or("")).collect::<Vec<_>>().join("\n");
        let said = said.trim();
        let end = said.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').unwrap_or(said.len());
        let (word, behind) = said.split_at(end);
        let arrow = behind.trim_start().strip_prefix("<=").map(str::trim_start);
        match word {
            "out" => Sort::Program,
            "switch" | "select" | "join" | "match" => Sort::Stages,
            // Front matter alone defines workers.
            "" if said.is_empty() => Sort::Definitions,
            // Its second fence has not come.
            "" if said.starts_with("+++") => Sort::Program,
            "" => Sort::Step,
            _ if arrow.is_some_and(|arrow| arrow.is_empty() || arrow.starts_with('(')) => Sort::Definitions,
            _ => Sort::Step,
        }
    }
}

/// The path at the beginning of a step.
pub fn worker(step: &str) -> String {
    let step = step.trim_start_matches('[').trim_start();
    let end = step.find(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c)).unwrap_or(step.len());
    step.split_at(end).0.to_owned()
}

/// A text without what goes in at its end, and that. Wrong is a quote that nothing closes, or that something else follows.
fn given(text: &str) -> Result<(String, Option<Given>), Box<Diagnostic>> {
    let none = || Ok((text.to_owned(), None));
    let front = text.len() - split_front_matter(text).1.len();
    let (front, body) = text.split_at(front);
    let before = |body: &str| body.trim_end().strip_suffix("<=").map(|rest| format!("{front}{}", rest.trim_end()));
    let quotes = body.match_indices('"').map(|(at, _)| body.split_at(at));
    if let Some((left, right, quoted)) =
        quotes.filter_map(|(left, right)| Some((before(left)?, right, right.strip_prefix('"')?))).next()
    {
        let place = |rest: &str, length: usize| {
            Span::new((text.len() - rest.len()) as u32, (text.len() - rest.len() + length) as u32)
        };
        let Some((inner, rest)) = unquoted(quoted) else {
            let wrong = Diagnostic::new(Code::Unclosed, place(right, 1), "this `\"` is never closed");
            return Err(Box::new(wrong.help("end what goes in by `\"`; within it write `\\\"`")));
        };
        let rest = rest.trim_start();
        if !rest.is_empty() && !rest.starts_with(';') {
            let wrong = Diagnostic::new(Code::Expected, place(rest, 1), "nothing stands behind the text that goes in");
            return Err(Box::new(wrong.help("a quote within it is written `\\\"`")));
        }
        return Ok((left, Some(Given::Text(inner))));
    }
    let Some((left, right)) = body.rsplit_once("<=") else { return none() };
    let right = right.trim();
    match right.strip_prefix('@') {
        Some(name) if !name.is_empty() && !name.contains(char::is_whitespace) => {
            Ok((format!("{front}{}", left.trim_end()), Some(Given::Stored(name.to_owned()))))
        }
        // `analyze <= in` is `analyze`.
        None if right == "in" && matches!(Sort::of(left), Sort::Step) => {
            Ok((format!("{front}{}", left.trim_end()), None))
        }
        _ => none(),
    }
}

/// What stands behind a quote, up to the one that closes it; and what follows that.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let (mut text, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            'n' if escaped => text.push('\n'),
            _ if escaped => text.push(c),
            '\\' => {}
            '"' => return Some((text, quoted.get(at + 1..).unwrap_or(""))),
            _ => text.push(c),
        }
        escaped = c == '\\' && !escaped;
    }
    None
}

impl Given {
    /// TEXT, `"TEXT"`, `@FILE` or `@ID`, as it follows a command.
    pub fn of(text: &str) -> Given {
        match text.strip_prefix('@') {
            Some(name) => Given::Stored(name.to_owned()),
            None => Given::Text(plain(text)),
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Text(text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
            }
            Given::Stored(name) => write!(f, "@{name}"),
        }
    }
}

/// A text that may stand in quotes, without them.
pub fn plain(text: &str) -> String {
    let whole = text.strip_prefix('"').and_then(unquoted).filter(|(_, rest)| rest.is_empty());
    whole.map_or_else(|| text.to_owned(), |(text, _)| text)
}

/// Cuts a text that parses where its definitions and its program begin; comments above one belong to it.
pub fn pieces(text: &str, parsed: &Parsed) -> Pieces {
    let starts = parsed.spans.definitions.iter().chain([&parsed.spans.program]);
    let starts: Vec<usize> = starts.map(|span| with_comments(text, span.start as usize)).collect();
    let cut = |at: usize| {
        let end = starts.get(at + 1).copied().unwrap_or(text.len());
        starts.get(at).and_then(|start| text.get(*start..end)).unwrap_or("").trim().to_owned()
    };
    let named = parsed.tree.definitions.iter().enumerate();
    let named = named.map(|(at, definition)| (parsed.tree.words.text(definition.name).to_owned(), cut(at)));
    Pieces {
        front: parsed.tree.front_matter.clone(),
        definitions: named.collect(),
        program: Some(cut(parsed.tree.definitions.len())),
    }
}

/// Where the comments begin that stand right above this byte.
fn with_comments(text: &str, mut start: usize) -> usize {
    while let Some(above) = text.get(..start).and_then(|above| above.trim_end_matches([' ', '\t']).strip_suffix('\n')) {
        let line = above.rfind('\n').map_or(0, |at| at + 1);
        match above.get(line..) {
            Some(comment) if comment.trim_start().starts_with(';') => start = line,
            _ => break,
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an entry is, in a few words.
    fn told(text: &str) -> String {
        match read(text, false) {
            Entry::Nothing => "nothing".to_owned(),
            Entry::Incomplete => "incomplete".to_owned(),
            Entry::Command(line) => format!("command {line}"),
            Entry::Author(line) => format!("author {line}"),
            Entry::Workflow(format) => format.word().to_owned(),
            Entry::Arrows(pieces, given) => {
                let names: Vec<&str> = pieces.definitions.iter().map(|(name, _)| name.as_str()).collect();
                let program = pieces.program.map_or("none", |_| "one");
                format!("definitions {names:?}, program {program}, given {given:?}")
            }
            Entry::Bare(Bare { program, given, .. }) => format!("{} {given:?}", program.trim().replace('\n', " ")),
            Entry::Wrong(_, diagnostics) => diagnostics.first().map_or("", |one| one.code.text()).to_owned(),
        }
    }

    #[test]
    fn an_entry_is_told_by_what_it_says() {
        for (text, what) in [
            (" \n; only a comment\n", "nothing"),
            (":step ", "command step"),
            ("/add roles name=\"a\"", "author /add roles name=\"a\""),
            ("out <= () <= in", "definitions [], program one, given None"),
            ("out <= () <= \"a \\\"b\\\"\\n\"", "definitions [], program one, given Some(Text(\"a \\\"b\\\"\\n\"))"),
            ("x <= () ; as it is", "definitions [\"x\"], program none, given None"),
            (
                "x <= ()\ny <= ()\nout <= () <= @a1b2",
                "definitions [\"x\", \"y\"], program one, given Some(Stored(\"a1b2\"))",
            ),
            ("+++\n[worker.a]\nmock = []\n+++\n", "definitions [], program none, given None"),
            ("analyze", "out <= ( switch <= ( analyze => next ) ) <= in None"),
            ("analyze <= in", "out <= ( switch <= ( analyze => next ) ) <= in None"),
            ("a<5> => send | back <= \"t\"", "out <= ( switch <= ( a<5> => send | back ) ) <= in Some(Text(\"t\"))"),
            ("join <= ( a => next ) <= in", "out <= ( join <= ( a => next ) ) <= in None"),
        ] {
            assert_eq!(told(text), what, "{text}");
        }
    }

    #[test]
    fn what_is_not_at_its_end_is_told_from_what_is_wrong() {
        for text in [
            "out <= (",
            "out <= ( switch <= ( a => next ) )",
            "x <= (\n switch <= (",
            "x <=",
            "analyze =>",
            "analyze <= \"two\nlines",
            "switch <= ( a => next",
            // A mistake is told when its brackets are closed.
            "switch <= ( a -> nxt",
            "out <= ( swich <= ( a",
            "+++\n[worker.a]",
            "name = \"a workflow\"",
            "steps:",
        ] {
            assert_eq!(told(text), "incomplete", "{text}");
        }
        for text in ["foo bar", "out <= )", "x <= ( ) )", "switch <= ( a => nxt )", "5", "a <= \"t\" b"] {
            assert!(told(text).starts_with('E'), "{text}: {}", told(text));
        }
        for text in ["out <= (", "analyze =>", "x <="] {
            assert!(matches!(read(text, true), Entry::Wrong(..)), "{text}");
        }
        let Entry::Wrong(_, told) = read("analyze <= \"no end", true) else { panic!("its quote is open") };
        assert_eq!(told[0].message, "this `\"` is never closed");
    }

    #[test]
    fn what_goes_in_is_written_as_it_is_read() {
        for given in
            [Given::Text("a \"b\" \\ @c\nd".to_owned()), Given::Text("@x".to_owned()), Given::Stored("x".to_owned())]
        {
            assert_eq!(Given::of(&given.to_string()), given);
        }
        assert_eq!(Given::of("as it is"), Given::Text("as it is".to_owned()));
    }

    #[test]
    fn pieces_are_the_text() {
        let text = "; of a\na <= ()\n\n; of b\n; more\nb <= ()\nout <= () <= in ; end\n";
        let pieces = pieces(text, &parse(text));
        let definitions = [("a", "; of a\na <= ()"), ("b", "; of b\n; more\nb <= ()")];
        assert_eq!(pieces.definitions, definitions.map(|(name, text)| (name.to_owned(), text.to_owned())));
        assert_eq!(pieces.program.as_deref(), Some("out <= () <= in ; end"));
    }
}
