//! Assembly text to module. `disasm` writes what this reads, for every module: `assemble(disassemble(m)) == m`.
//!
//! A line is a directive (`.words .limits .worker .behaviour .function .stage .step`), an instruction, or a label `L12:`. Stages, steps,
//! workers, functions, counters and registers are numbers with a letter (`s t w f c r`), words stand as they are, `;` begins a comment.

use super::*;
use crate::isa::{FORMAT, Instruction, OperandKind, TABLE};
use rustc_hash::FxHashMap;

/// What is wrong with a line of assembly text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {reason}")]
pub struct AsmError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

/// The module of an assembly text, or all that is wrong with it.
pub fn assemble(text: &str) -> Result<Module, Vec<AsmError>> {
    let mut assembler = Assembler::default();
    let mut errors = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Err(reason) = assembler.line(line) {
            errors.push(AsmError { line: at + 1, reason });
        }
        assembler.number = at + 1;
    }
    assembler.finish(&mut errors);
    if errors.is_empty() { Ok(assembler.module) } else { Err(errors) }
}

#[derive(Default)]
struct Assembler {
    module: Module,
    words: FxHashMap<String, u16>,
    labels: FxHashMap<String, u32>,
    patches: Vec<Patch>,
    handlers: Vec<(usize, usize, String)>,
    number: usize,
}

/// A word of code that needs the address of a label.
struct Patch {
    line: usize,
    pc: u32,
    label: String,
    /// A distance from the word itself, not an address.
    offset: bool,
}

type Fallible<T> = Result<T, String>;

/// What is left of a line.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    /// The next piece: a JSON string, or everything up to a space.
    fn next(&mut self) -> Fallible<Option<Piece<'a>>> {
        self.rest = self.rest.trim_start();
        if self.rest.is_empty() || self.rest.starts_with(';') {
            return Ok(None);
        }
        if self.rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
            let text = values.next().and_then(Result::ok).ok_or("a text that does not end")?;
            self.rest = self.rest.get(values.byte_offset()..).unwrap_or("");
            return Ok(Some(Piece::Text(text)));
        }
        let end = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
        let (piece, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(Some(Piece::Bare(piece)))
    }

    fn bare(&mut self) -> Fallible<&'a str> {
        match self.next()? {
            Some(Piece::Bare(text)) => Ok(text),
            Some(Piece::Text(text)) => Err(format!("`{text}` stands where a name or number is expected")),
            None => Err("something is missing at the end".into()),
        }
    }

    fn text(&mut self) -> Fallible<String> {
        match self.next()? {
            Some(Piece::Text(text)) => Ok(text),
            _ => Err("a text in quotes is expected".into()),
        }
    }

    /// `key=value` pieces up to the end of the line.
    fn pairs(&mut self) -> Fallible<Vec<(&'a str, &'a str)>> {
        let mut pairs = Vec::new();
        while let Some(piece) = self.next()? {
            let Piece::Bare(piece) = piece else { return Err("a text stands where `key=value` is expected".into()) };
            pairs.push(piece.split_once('=').ok_or_else(|| format!("`{piece}` is not `key=value`"))?);
        }
        Ok(pairs)
    }
}

enum Piece<'a> {
    Bare(&'a str),
    Text(String),
}

fn number<T: std::str::FromStr>(text: &str) -> Fallible<T> {
    text.parse().map_err(|_| format!("`{text}` is no number that fits"))
}

fn lettered(text: &str, letter: char) -> Fallible<u16> {
    number(text.strip_prefix(letter).ok_or_else(|| format!("`{text}` does not begin with `{letter}`"))?)
}

fn target(text: &str) -> Fallible<StepTarget> {
    match text.chars().next() {
        Some('w') => Ok(StepTarget::Worker(WorkerId(lettered(text, 'w')?))),
        _ => Ok(StepTarget::Function(FunctionId(lettered(text, 'f')?))),
    }
}

fn list<T>(text: &str, read: impl Fn(&str) -> Fallible<T>) -> Fallible<Vec<T>> {
    text.split(',').filter(|item| !item.is_empty()).map(read).collect()
}

/// The numbers of the kinds of ending, as assembly text names them.
pub(super) const KINDS: [(&str, EndKind); 4] =
    [("cancel", EndKind::Cancel), ("failure", EndKind::Failure), ("exhausted", EndKind::Exhausted), ("timeout", EndKind::Timeout)];

fn kinds(text: &str) -> Fallible<KindSet> {
    text.split('+').try_fold(KindSet::default(), |set, name| {
        let kind = KINDS.iter().find(|(known, _)| *known == name).ok_or_else(|| format!("`{name}` is no kind of ending"))?;
        Ok(set.with(kind.1))
    })
}

impl Assembler {
    fn line(&mut self, line: &str) -> Fallible<()> {
        let mut cursor = Cursor { rest: line };
        let Some(first) = cursor.next()? else { return Ok(()) };
        let Piece::Bare(first) = first else { return Err("a line begins with a directive, a label or an instruction".into()) };
        match first {
            ".format" => match number::<u16>(cursor.bare()?)? {
                FORMAT => {}
                other => return Err(format!("format {other}: this program reads {FORMAT}")),
            },
            ".words" => {
                while let Some(piece) = cursor.next()? {
                    let Piece::Bare(word) = piece else { return Err("a word is expected".into()) };
                    self.words.insert(word.to_owned(), self.module.words.len() as u16);
                    self.module.words.push(word.to_owned());
                }
            }
            ".limits" => {
                for (key, value) in cursor.pairs()? {
                    let limits = &mut self.module.limits;
                    *match key {
                        "calls" => &mut limits.calls,
                        "money" => &mut limits.money,
                        "tokens" => &mut limits.tokens,
                        _ => return Err(format!("no limit is called `{key}`")),
                    } = Some(number(value)?);
                }
            }
            ".worker" => {
                let (name, definition) = (cursor.text()?, cursor.text()?);
                let mut worker = Worker { name, definition, money: None, tokens: None };
                for (key, value) in cursor.pairs()? {
                    *match key {
                        "money" => &mut worker.money,
                        "tokens" => &mut worker.tokens,
                        _ => return Err(format!("a worker has no `{key}`")),
                    } = Some(number(value)?);
                }
                self.module.workers.push(worker);
            }
            ".behaviour" => {
                let behaviour = Behaviour { name: cursor.text()?, definition: cursor.text()? };
                self.module.behaviours.push(behaviour);
            }
            ".function" => self.function(&mut cursor)?,
            ".stage" => self.stage(&mut cursor)?,
            ".step" => self.step(&mut cursor)?,
            label if label.ends_with(':') => {
                let label = label.trim_end_matches(':').to_owned();
                if self.labels.insert(label.clone(), self.module.code.len() as u32).is_some() {
                    return Err(format!("the label `{label}` stands twice"));
                }
                let rest = cursor.rest.trim_start();
                if !rest.is_empty() {
                    return self.line(rest);
                }
            }
            name => self.instruction(name, &mut cursor)?,
        }
        match cursor.next()? {
            None => Ok(()),
            Some(_) => Err("something is left at the end of the line".into()),
        }
    }

    fn word(&self, text: &str) -> Fallible<WordId> {
        self.words.get(text).copied().map(WordId).ok_or_else(|| format!("`{text}` is not among the .words"))
    }

    fn close(&mut self) {
        let end = self.module.code.len() as u32;
        if let Some(last) = self.module.functions.last_mut() {
            last.end = end;
        }
    }

    fn function(&mut self, cursor: &mut Cursor) -> Fallible<()> {
        self.close();
        let mut function = Function {
            name: cursor.text()?,
            entry: self.module.code.len() as u32,
            stages: (self.module.stages.len() as u16, 0),
            steps: (self.module.steps.len() as u16, 0),
            ..Function::default()
        };
        for (key, value) in cursor.pairs()? {
            match key {
                "registers" => function.registers = number(value)?,
                "counters" => function.counters = list(value, number)?,
                "verdicts" => function.verdicts = list(value, |word| self.word(word))?,
                _ => return Err(format!("a function has no `{key}`")),
            }
        }
        self.module.functions.push(function);
        Ok(())
    }

    fn stage(&mut self, cursor: &mut Cursor) -> Fallible<()> {
        let key = cursor.text()?;
        let kind = match cursor.bare()? {
            "switch" => StageKind::Switch,
            "select" => StageKind::Select,
            "join" => StageKind::Join,
            "match" => StageKind::Match,
            other => return Err(format!("`{other}` is no kind of stage")),
        };
        let mut stage = Stage { key, kind, ..Stage::default() };
        for (key, value) in cursor.pairs()? {
            match key {
                "around" => stage.around = Some(StageId(lettered(value, 's')?)),
                "deadline" => stage.deadline_ms = Some(number(value)?),
                "money" => stage.money = Some(number(value)?),
                "tokens" => stage.tokens = Some(number(value)?),
                "input" => stage.input = Some(RegisterId(lettered(value, 'r')?)),
                "output" => stage.output = Some(RegisterId(lettered(value, 'r')?)),
                "chooser" => stage.chooser = Some(WorkerId(lettered(value, 'w')?)),
                "names" => stage.names = list(value, |word| self.word(word))?,
                "counters" => {
                    let (first, count) = value.split_once('+').ok_or("counters are `first+count`")?;
                    stage.counters = (number(first)?, number(count)?);
                }
                "catches" => {
                    let mut pieces = value.split(',');
                    let kinds = kinds(pieces.next().unwrap_or(""))?;
                    let label = pieces.next().ok_or("a handler is `kinds,label`")?.to_owned();
                    let counter = pieces.next().map(|counter| lettered(counter, 'c').map(CounterId)).transpose()?;
                    stage.handler = Some(Handler { kinds, counter, target: 0 });
                    self.handlers.push((self.number + 1, self.module.stages.len(), label));
                }
                _ => return Err(format!("a stage has no `{key}`")),
            }
        }
        self.module.stages.push(stage);
        let function = self.module.functions.last_mut().ok_or("a stage stands behind its .function")?;
        function.stages.1 += 1;
        Ok(())
    }

    fn step(&mut self, cursor: &mut Cursor) -> Fallible<()> {
        let name = cursor.text()?;
        let mut step = Step {
            name,
            stage: StageId(0),
            target: StepTarget::Worker(WorkerId(0)),
            behaviours: Vec::new(),
            deadline_ms: None,
            money: None,
            tokens: None,
            input: None,
            output: None,
            undo: None,
            verdicts: Vec::new(),
        };
        for (key, value) in cursor.pairs()? {
            match key {
                "stage" => step.stage = StageId(lettered(value, 's')?),
                "calls" => step.target = target(value)?,
                "undo" => step.undo = Some(target(value)?),
                "behaviours" => step.behaviours = list(value, number)?,
                "deadline" => step.deadline_ms = Some(number(value)?),
                "money" => step.money = Some(number(value)?),
                "tokens" => step.tokens = Some(number(value)?),
                "input" => step.input = Some(RegisterId(lettered(value, 'r')?)),
                "output" => step.output = Some(RegisterId(lettered(value, 'r')?)),
                "verdicts" => step.verdicts = list(value, |word| self.word(word))?,
                _ => return Err(format!("a step has no `{key}`")),
            }
        }
        self.module.steps.push(step);
        let function = self.module.functions.last_mut().ok_or("a step stands behind its .function")?;
        function.steps.1 += 1;
        Ok(())
    }

    fn instruction(&mut self, name: &str, cursor: &mut Cursor) -> Fallible<()> {
        let info = TABLE.iter().find(|info| info.name == name).ok_or_else(|| format!("no instruction is called `{name}`"))?;
        let pc = self.module.code.len() as u32;
        let mut word = u64::from(info.number) << 56;
        let mut patch = None;
        for (operand, kind, slot) in info.operands {
            let text = cursor.bare().map_err(|_| format!("`{name}` needs `{operand}`"))?;
            let value: u32 = match kind {
                OperandKind::Stage => lettered(text, 's')?.into(),
                OperandKind::Step => lettered(text, 't')?.into(),
                OperandKind::Counter => lettered(text, 'c')?.into(),
                OperandKind::Register => lettered(text, 'r')?.into(),
                OperandKind::OptionalCounter if text == "-" => u16::MAX.into(),
                OperandKind::OptionalCounter => lettered(text, 'c')?.into(),
                OperandKind::Word => self.word(text)?.0.into(),
                OperandKind::Number => number::<u16>(text)?.into(),
                OperandKind::Flag => number::<u8>(text)?.into(),
                OperandKind::Kinds => kinds(text)?.0.into(),
                OperandKind::Edge => {
                    let found = EdgeKind::ALL.into_iter().find(|kind| kind.word() == text);
                    found.ok_or_else(|| format!("`{text}` is no kind of edge"))? as u32
                }
                OperandKind::Target => {
                    patch = Some((text, false));
                    0
                }
                OperandKind::Offset if text == "-" => 0,
                OperandKind::Offset => match text.strip_prefix('*') {
                    Some(times) => number::<u16>(times)?.into(),
                    None => {
                        patch = Some((text, true));
                        0
                    }
                },
            };
            word = slot.put(word, value);
        }
        if let Some((label, offset)) = patch {
            self.patches.push(Patch { line: self.number + 1, pc, label: label.to_owned(), offset });
        }
        self.module.code.push(word);
        Ok(())
    }

    fn finish(&mut self, errors: &mut Vec<AsmError>) {
        self.close();
        for Patch { line, pc, label, offset } in std::mem::take(&mut self.patches) {
            let value = self.labels.get(&label).and_then(|to| match offset {
                true => to.checked_sub(pc).filter(|distance| *distance <= u16::MAX.into()),
                false => Some(*to),
            });
            match (value, self.module.code.get_mut(pc as usize)) {
                (Some(value), Some(word)) => *word |= u64::from(value),
                _ => errors.push(AsmError { line, reason: format!("`{label}` is no label that can be reached from here") }),
            }
        }
        for (line, stage, label) in std::mem::take(&mut self.handlers) {
            let target = self.labels.get(&label).copied();
            match (target, self.module.stages.get_mut(stage).and_then(|stage| stage.handler.as_mut())) {
                (Some(target), Some(handler)) => handler.target = target,
                _ => errors.push(AsmError { line, reason: format!("no label is called `{label}`") }),
            }
        }
        for (pc, word) in self.module.code.iter().enumerate() {
            if Instruction::decode(*word).is_none() {
                errors.push(AsmError { line: 0, reason: format!("word {pc} has an operand out of range") });
            }
        }
        errors.sort_by_key(|error| error.line);
    }
}
