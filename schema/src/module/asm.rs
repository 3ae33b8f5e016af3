//! Assembly text to module. Reads what [`super::disassemble`] prints and what people write by hand: `docs/isa.md` says how.
//!
//! Two passes over the lines: the first, here, finds every name; the second, in `build`, makes the rows and the code. All
//! errors are reported, each with its line; whether the module makes sense is the verifier's.

use super::Module;
use super::text::{Token, tokens, visible};
use crate::isa::{OpInfo, TABLE};
use std::collections::HashMap;
use std::str::FromStr;

mod build;

/// So many errors are told.
const MOST_ERRORS: usize = 100;

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {reason}")]
pub struct AsmError {
    /// From 1.
    pub line: usize,
    /// What is wrong, and what was expected.
    pub reason: String,
}

/// The module that an assembly text says.
///
/// Fails with what is wrong with its lines, in order; nobody reads more than a hundred.
pub fn assemble(text: &str) -> std::result::Result<Module, Vec<AsmError>> {
    let mut errors = Vec::new();
    let mut lines = Vec::new();
    for (at, text) in text.lines().enumerate() {
        match tokens(text) {
            Ok(tokens) => lines.push((at + 1, tokens)),
            Err(reason) => errors.push(AsmError { line: at + 1, reason }),
        }
    }
    let mut names = Known::default();
    for (line, tokens) in &lines {
        if let Err(reason) = names.declare(Cursor::new(tokens)) {
            errors.push(AsmError { line: *line, reason });
        }
    }
    names.name_steps();
    let module = build::build(names, &lines, &mut errors);
    if errors.is_empty() {
        return Ok(module);
    }
    errors.sort_by_key(|error| error.line);
    errors.truncate(MOST_ERRORS);
    // They quote the text.
    errors.iter_mut().for_each(|error| error.reason = visible(&error.reason));
    Err(errors)
}

type Result<T, E = String> = std::result::Result<T, E>;

/// A line with its number.
type Line<'a> = (usize, Vec<Token<'a>>);

/// The tokens of a line that have not been read.
struct Cursor<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(tokens: &'a [Token<'a>]) -> Cursor<'a> {
        Cursor { tokens, at: 0 }
    }

    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a Token<'a>> {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// The labels that the line begins with.
    fn label(&mut self) -> Option<&'a str> {
        let Some(Token::Bare(text)) = self.peek() else { return None };
        let label = text.strip_suffix(':');
        self.at += usize::from(label.is_some());
        label
    }

    fn bare(&mut self, what: &str) -> Result<&'a str> {
        match self.next() {
            Some(Token::Bare(text)) => Ok(text),
            _ => Err(format!("{what} is missing")),
        }
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T> {
        parse(self.bare(what)?, what)
    }

    /// A name, or `#` and the number of a row.
    fn name(&mut self, what: &str) -> Result<Name<'a>> {
        match self.next() {
            Some(Token::Quoted(text)) => Ok(Name::Text(text)),
            Some(Token::Bare(text)) => match text.strip_prefix('#') {
                Some(number) => Ok(Name::Row(parse(number, what)?)),
                None => Ok(Name::Text(text)),
            },
            _ => Err(format!("{what} is missing")),
        }
    }

    /// A name that is being declared.
    fn text(&mut self, what: &str) -> Result<&'a str> {
        match self.name(what)? {
            Name::Text(text) => Ok(text),
            Name::Row(_) => Err(format!("{what} is missing; a name that begins with `#` stands in quotes")),
        }
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Bare(text)) if *text == keyword);
        self.at += usize::from(found);
        found
    }

    /// At least one, with commas between.
    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while let Some(Token::Comma) = self.peek() {
            self.at += 1;
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn end(&mut self) -> Result<()> {
        match self.next() {
            None => Ok(()),
            Some(Token::Bare(text)) => Err(format!("`{text}` was not expected here")),
            Some(_) => Err("the line should have ended".into()),
        }
    }
}

/// How a row is referred to.
#[derive(Clone, Copy)]
enum Name<'a> {
    Text(&'a str),
    Row(u16),
}

fn parse<T: FromStr>(text: &str, what: &str) -> Result<T> {
    text.parse().map_err(|_| format!("`{text}` is not {what}"))
}

/// The instruction of that name.
fn instruction(name: &str) -> Option<&'static OpInfo> {
    TABLE.iter().find(|row| row.name == name)
}

/// The rows of a table by name; of several with one name, the first.
#[derive(Default)]
struct Names<K> {
    rows: HashMap<K, u16>,
    count: usize,
}

impl<K: Eq + std::hash::Hash> Names<K> {
    fn add(&mut self, name: K) -> Result<()> {
        let row = u16::try_from(self.count).map_err(|_| "the table has too many rows: at most 65,536")?;
        self.rows.entry(name).or_insert(row);
        self.count += 1;
        Ok(())
    }
}

/// The stages and steps that can be meant by name: those of one function.
#[derive(Default)]
struct Scope<'a> {
    stages: HashMap<&'a str, u16>,
    steps: HashMap<String, u16>,
}

/// Everything that has a name.
#[derive(Default)]
struct Known<'a> {
    words: Names<&'a str>,
    workers: Names<&'a str>,
    behaviours: Names<&'a str>,
    functions: Names<&'a str>,
    /// What stands before the first function, then each function.
    scopes: Vec<Scope<'a>>,
    /// The keys of all stages.
    keys: Vec<&'a str>,
    /// Of all steps: scope, name and stage.
    steps: Vec<(usize, &'a str, Name<'a>)>,
    labels: HashMap<&'a str, u32>,
    /// Words of code.
    size: u32,
}

impl<'a> Known<'a> {
    /// The first pass over a line. What it does not read is for the second to judge.
    fn declare(&mut self, mut line: Cursor<'a>) -> Result<()> {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let scope = self.scopes.len() - 1;
        while let Some(label) = line.label() {
            if self.labels.insert(label, self.size).is_some() {
                return Err(format!("the label `{label}` stands twice"));
            }
        }
        let Some(Token::Bare(first)) = line.next() else { return Ok(()) };
        match *first {
            "words" => {
                for word in line.list(|line| line.text("a word")).unwrap_or_default() {
                    self.words.add(word)?;
                }
            }
            "worker" => self.workers.add(line.text("the name of the worker")?)?,
            "behaviour" => self.behaviours.add(line.text("the name of the behaviour")?)?,
            "function" => {
                self.functions.add(line.text("the name of the function")?)?;
                self.scopes.push(Scope::default());
            }
            "stage" => {
                let key = line.text("the key of the stage")?;
                let row = u16::try_from(self.keys.len()).map_err(|_| "there are too many stages: at most 65,536")?;
                if let Some(scope) = self.scopes.get_mut(scope) {
                    scope.stages.entry(key).or_insert(row);
                }
                self.keys.push(key);
            }
            "step" => {
                let name = line.text("the name of the step")?;
                if !line.take("in") {
                    return Err("after the name of a step stands `in` and its stage".into());
                }
                self.steps.push((scope, name, line.name("its stage")?));
            }
            "raw" => self.size += 1,
            name if instruction(name).is_some() => self.size += 1,
            _ => {}
        }
        Ok(())
    }

    /// Steps are referred to by the key of their stage and their own name; all keys are known now.
    fn name_steps(&mut self) {
        for (row, (scope, name, stage)) in self.steps.iter().enumerate() {
            let key = match stage {
                Name::Text(key) => Some(*key),
                Name::Row(row) => self.keys.get(usize::from(*row)).copied(),
            };
            if let (Some(key), Some(scope), Ok(row)) = (key, self.scopes.get_mut(*scope), u16::try_from(row)) {
                scope.steps.entry(format!("{key}/{name}")).or_insert(row);
            }
        }
    }
}
