//! The second pass: rows and code, every name known.

use super::{AsmError, Cursor, Known, Line, Name, Result, instruction, parse};
use crate::isa::{self, OpInfo, OperandKind};
use crate::module::text::Token;
use crate::module::*;
use crate::unit::{Milliseconds, Money, Tokens};
use std::collections::{HashMap, HashSet};

pub(super) fn build(known: Known<'_>, lines: &[Line<'_>], errors: &mut Vec<AsmError>) -> Module {
    let mut builder = Builder { known, module: Module::default(), scope: 0, open: Claims::default() };
    // Of these the first pass has spoken already.
    let known: HashSet<usize> = errors.iter().map(|error| error.line).collect();
    for (line, tokens) in lines {
        if let Err(reason) = builder.line(Cursor::new(tokens))
            && !known.contains(line)
        {
            errors.push(AsmError { line: *line, reason });
        }
    }
    builder.close();
    builder.module
}

/// What a function says it has, where that is not what stands under it.
#[derive(Default)]
struct Claims {
    code: Option<(u32, u32)>,
    stages: Option<(u16, u16)>,
    steps: Option<(u16, u16)>,
}

struct Builder<'a> {
    known: Known<'a>,
    module: Module,
    /// Which scope; 0 stands before the first function.
    scope: usize,
    open: Claims,
}

/// The row of a name in a table.
fn find(rows: &HashMap<&str, u16>, name: Name<'_>, what: &str) -> Result<u16> {
    match name {
        Name::Row(row) => Ok(row),
        Name::Text(text) => rows.get(text).copied().ok_or_else(|| format!("there is no {what} `{text}`")),
    }
}

impl<'a> Builder<'a> {
    fn line(&mut self, mut line: Cursor<'a>) -> Result<()> {
        while line.label().is_some() {}
        let Some(first) = line.next() else { return Ok(()) };
        let Token::Bare(first) = first else { return Err("a line begins with a keyword or an instruction".into()) };
        match *first {
            // The first pass has added them.
            "words" => {
                let words = line.list(|line| line.text("a word"))?;
                self.module.words.extend(words.into_iter().map(str::to_owned));
            }
            "limits" => self.limits(&mut line)?,
            "concurrent" => self.module.concurrent = Some(line.number("a number of calls")?),
            "param" => {
                let name = line.text("the name of the parameter")?.to_owned();
                self.module.params.push(Param { name, definition: definition(&mut line)? });
            }
            "worker" => self.worker(&mut line)?,
            "behaviour" => {
                let name = line.text("the name of the behaviour")?.to_owned();
                self.module.behaviours.push(Behaviour { name, definition: definition(&mut line)? });
            }
            "function" => self.function(&mut line)?,
            "code" | "stages" | "steps" | "counters" | "verdicts" => self.detail(first, &mut line)?,
            "stage" => {
                let stage = self.stage(&mut line)?;
                self.module.stages.push(stage);
            }
            "step" => {
                let step = self.step(&mut line)?;
                self.module.steps.push(step);
            }
            "raw" => {
                let text = line.bare("a word of code")?;
                let word = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
                self.module.code.push(word.ok_or("`raw` wants a word as `0x` and hexadecimal digits")?);
            }
            name => match instruction(name) {
                Some(row) => {
                    let word = self.instruction(row, &mut line)?;
                    self.module.code.push(word);
                }
                None => return Err(format!("`{name}` is neither a keyword nor an instruction")),
            },
        }
        line.end()
    }

    fn limits(&mut self, line: &mut Cursor<'a>) -> Result<()> {
        let limits = &mut self.module.limits;
        loop {
            if line.take("calls") {
                limits.calls = Some(line.number("a number of calls")?);
            } else if line.take("money") {
                limits.money = Some(line.number::<Money>("an amount of money")?.0);
            } else if line.take("tokens") {
                limits.tokens = Some(line.number::<Tokens>("a number of tokens")?.0);
            } else {
                return Ok(());
            }
        }
    }

    fn worker(&mut self, line: &mut Cursor<'a>) -> Result<()> {
        let name = line.text("the name of the worker")?.to_owned();
        let (_, money, tokens) = quantities(line)?;
        self.module.workers.push(Worker { name, money, tokens, definition: definition(line)? });
        Ok(())
    }

    fn function(&mut self, line: &mut Cursor<'a>) -> Result<()> {
        self.close();
        self.scope += 1;
        self.open = Claims::default();
        let name = line.text("the name of the function")?.to_owned();
        let registers = if line.take("registers") { line.number("a number of registers")? } else { 1 };
        let first = |rows: usize| (rows as u16, 0);
        let (stages, steps) = (first(self.module.stages.len()), first(self.module.steps.len()));
        let entry = self.module.code.len() as u32;
        self.module.functions.push(Function { name, entry, stages, steps, registers, ..Function::default() });
        Ok(())
    }

    /// The rows and words since the last `function` are its own.
    fn close(&mut self) {
        let Module { functions, stages, steps, code, .. } = &mut self.module;
        let Some(function) = functions.last_mut() else { return };
        let count = |rows: usize, first: u16| (rows as u16).wrapping_sub(first);
        let own = (function.entry, code.len() as u32);
        (function.entry, function.end) = self.open.code.unwrap_or(own);
        function.stages = self.open.stages.unwrap_or((function.stages.0, count(stages.len(), function.stages.0)));
        function.steps = self.open.steps.unwrap_or((function.steps.0, count(steps.len(), function.steps.0)));
    }

    /// What stands under `function`, in lines of their own.
    fn detail(&mut self, keyword: &str, line: &mut Cursor<'a>) -> Result<()> {
        if self.module.functions.is_empty() {
            return Err(format!("`{keyword}` stands under a function"));
        }
        match keyword {
            "code" => self.open.code = Some(pair(line.bare("a range")?, "..")?),
            "stages" => self.open.stages = Some(pair(line.bare("a range")?, "+")?),
            "steps" => self.open.steps = Some(pair(line.bare("a range")?, "+")?),
            "counters" => {
                let counters = line.list(|line| line.number::<u16>("the limit of a counter"))?;
                self.with_function(|function| function.counters.extend(counters));
            }
            _ => {
                let verdicts = self.words(line)?;
                self.with_function(|function| function.verdicts.extend(verdicts));
            }
        }
        Ok(())
    }

    fn with_function(&mut self, f: impl FnOnce(&mut Function)) {
        if let Some(function) = self.module.functions.last_mut() {
            f(function);
        }
    }

    fn stage(&mut self, line: &mut Cursor<'a>) -> Result<Stage> {
        let key = line.text("the key of the stage")?.to_owned();
        let kind = line.bare("the kind of the stage")?;
        let kind = StageKind::ALL.into_iter().find(|known| known.word() == kind);
        let kind = kind.ok_or("a stage is a `switch`, `select`, `join` or `match`")?;
        let around = if line.take("around") { Some(self.stage_id(line)?) } else { None };
        let (deadline_ms, money, tokens) = quantities(line)?;
        let (input, output) = registers(line)?;
        let counters = if line.take("counters") {
            let text = line.bare("a range")?;
            pair(text.strip_prefix('c').unwrap_or(text), "+")?
        } else {
            (0, 0)
        };
        let handler = if line.take("handler") { Some(self.handler(line)?) } else { None };
        let chooser = if line.take("chooser") { Some(self.worker_id(line)?) } else { None };
        let names = if line.take("names") { self.words(line)? } else { Vec::new() };
        Ok(Stage { key, kind, around, deadline_ms, money, tokens, input, output, counters, handler, chooser, names })
    }

    fn handler(&mut self, line: &mut Cursor<'a>) -> Result<Handler> {
        let kinds = kinds(line.bare("kinds of ending")?)?;
        // In the bytes, no kinds are no handler.
        if kinds == KindSet::default() {
            return Err("a handler catches at least one kind of ending".into());
        }
        let counter = if line.take("counter") { Some(CounterId(numbered(line, 'c', "a counter")?)) } else { None };
        if !line.take("at") {
            return Err("a handler has `at` and a label".into());
        }
        Ok(Handler { kinds, counter, target: self.target(line)? })
    }

    fn step(&mut self, line: &mut Cursor<'a>) -> Result<Step> {
        let name = line.text("the name of the step")?.to_owned();
        line.take("in");
        let stage = self.stage_id(line)?;
        let target = self.called(line)?;
        let behaviours = if line.take("behaviours") {
            line.list(|line| find(&self.known.behaviours.rows, line.name("a behaviour")?, "behaviour"))?
        } else {
            Vec::new()
        };
        let (deadline_ms, money, tokens) = quantities(line)?;
        let (input, output) = registers(line)?;
        let undo = if line.take("undo") { Some(self.called(line)?) } else { None };
        let verdicts = if line.take("verdicts") { self.words(line)? } else { Vec::new() };
        Ok(Step { name, stage, target, behaviours, deadline_ms, money, tokens, input, output, undo, verdicts })
    }

    fn called(&mut self, line: &mut Cursor<'a>) -> Result<StepTarget> {
        if line.take("worker") {
            Ok(StepTarget::Worker(self.worker_id(line)?))
        } else if line.take("function") {
            let name = line.name("a function")?;
            Ok(StepTarget::Function(FunctionId(find(&self.known.functions.rows, name, "function")?)))
        } else {
            Err("whom it calls is missing: `worker NAME` or `function NAME`".into())
        }
    }

    fn worker_id(&self, line: &mut Cursor<'a>) -> Result<WorkerId> {
        Ok(WorkerId(find(&self.known.workers.rows, line.name("a worker")?, "worker")?))
    }

    fn stage_id(&self, line: &mut Cursor<'a>) -> Result<StageId> {
        let name = line.name("a stage")?;
        let Some(scope) = self.known.scopes.get(self.scope) else { return Err("there is no stage".into()) };
        Ok(StageId(find(&scope.stages, name, "stage of this function")?))
    }

    fn step_id(&self, line: &mut Cursor<'a>) -> Result<u16> {
        match line.name("a step")? {
            Name::Row(row) => Ok(row),
            Name::Text(text) => {
                let found = self.known.scopes.get(self.scope).and_then(|scope| scope.steps.get(text)).copied();
                found.ok_or_else(|| format!("there is no step of this function `{text}`; a step is named STAGE/STEP"))
            }
        }
    }

    fn words(&mut self, line: &mut Cursor<'a>) -> Result<Vec<WordId>> {
        line.list(|line| self.word(line).map(WordId))
    }

    /// A word; one that no `words` line has is added to the table.
    fn word(&mut self, line: &mut Cursor<'a>) -> Result<u16> {
        let text = match line.name("a word")? {
            Name::Row(row) => return Ok(row),
            Name::Text(text) => text,
        };
        let words = &mut self.known.words;
        if !words.rows.contains_key(text) {
            words.add(text)?;
            // Those of `words` lines further down come first.
            self.module.words.push(text.to_owned());
        }
        find(&words.rows, Name::Text(text), "word")
    }

    /// An address: a label, or `@` and a number.
    fn target(&self, line: &mut Cursor<'a>) -> Result<u32> {
        let text = line.bare("a label")?;
        match text.strip_prefix('@') {
            Some(number) => parse(number, "an address"),
            None => self.known.labels.get(text).copied().ok_or_else(|| format!("there is no label `{text}`")),
        }
    }

    fn instruction(&mut self, row: &OpInfo, line: &mut Cursor<'a>) -> Result<u64> {
        let mut word = u64::from(row.number) << 56;
        for (name, kind, slot) in row.operands {
            let value = self.operand(name, *kind, line)?;
            if value > slot.max() {
                return Err(format!("`{name}` is at most {}", slot.max()));
            }
            word = slot.put(word, value);
        }
        Ok(word)
    }

    fn operand(&mut self, name: &str, kind: OperandKind, line: &mut Cursor<'a>) -> Result<u32> {
        let none = line.peek().is_none() || line.take("-");
        Ok(match kind {
            OperandKind::OptionalCounter if none => isa::NO_COUNTER,
            OperandKind::Offset | OperandKind::Kinds if none => 0,
            OperandKind::Flag => u32::from(!none && line.take(name)),
            _ if none => return Err(format!("`{name}` is missing")),
            OperandKind::Stage => self.stage_id(line)?.0.into(),
            OperandKind::Step => self.step_id(line)?.into(),
            OperandKind::Counter | OperandKind::OptionalCounter => numbered(line, 'c', "a counter")?.into(),
            OperandKind::Register => register(line)?.0.into(),
            OperandKind::Word => self.word(line)?.into(),
            OperandKind::Number => line.number("a number")?,
            OperandKind::Target => self.target(line)?,
            OperandKind::Offset => self.offset(line)?,
            OperandKind::Edge => {
                let word = line.bare("the kind of the edge")?;
                let kind = EdgeKind::ALL.into_iter().find(|kind| kind.word() == word);
                kind.ok_or_else(|| format!("`{word}` is no kind of edge"))? as u32
            }
            OperandKind::Kinds => kinds(line.bare("kinds of ending")?)?.0.into(),
        })
    }

    /// How far down: a label, `+` and a number of words, or how often.
    fn offset(&self, line: &mut Cursor<'a>) -> Result<u32> {
        if let Some(Token::Bare(text)) = line.peek()
            && let digits = text.strip_prefix('+').unwrap_or(text)
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            line.at += 1;
            return parse(digits, "a distance");
        }
        let target = self.target(line)?;
        let here = self.module.code.len() as u32;
        target.checked_sub(here).filter(|distance| *distance > 0).ok_or_else(|| "an edge leads further down".into())
    }
}

/// The number of a counter or register: `c3`.
fn numbered(line: &mut Cursor<'_>, letter: char, what: &str) -> Result<u16> {
    let text = line.bare(what)?;
    let number = text.strip_prefix(letter).and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("`{text}` is not {what}: `{letter}` and its number"))
}

fn register(line: &mut Cursor<'_>) -> Result<RegisterId> {
    if line.take("in") { Ok(INPUT) } else { numbered(line, 'r', "a register").map(RegisterId) }
}

/// Optional `input` and `output`.
fn registers(line: &mut Cursor<'_>) -> Result<(Option<RegisterId>, Option<RegisterId>)> {
    let input = if line.take("input") { Some(register(line)?) } else { None };
    let output = if line.take("output") { Some(register(line)?) } else { None };
    Ok((input, output))
}

/// Optional `deadline`, `money` and `tokens`.
fn quantities(line: &mut Cursor<'_>) -> Result<(Option<u64>, Option<u64>, Option<u64>)> {
    let deadline = if line.take("deadline") { Some(line.number::<Milliseconds>("a duration")?.0) } else { None };
    let money = if line.take("money") { Some(line.number::<Money>("an amount of money")?.0) } else { None };
    let tokens = if line.take("tokens") { Some(line.number::<Tokens>("a number of tokens")?.0) } else { None };
    Ok((deadline, money, tokens))
}

/// `failure+exhausted`, `-` for none, or a number.
fn kinds(text: &str) -> Result<KindSet> {
    if text == "-" {
        return Ok(KindSet::default());
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u8::from_str_radix(digits, 16).map(KindSet).map_err(|_| format!("`{text}` is no set of kinds"));
    }
    text.split('+').try_fold(KindSet::default(), |set, word| {
        let kind = EndKind::ALL.into_iter().find(|kind| kind.word() == word);
        kind.map(|kind| set.with(kind)).ok_or_else(|| format!("`{word}` is no kind of ending"))
    })
}

/// Two numbers with something between.
fn pair<T: std::str::FromStr>(text: &str, between: &str) -> Result<(T, T)> {
    let error = || format!("`{text}` is no range: two numbers with `{between}` between");
    let (first, second) = text.split_once(between).ok_or_else(error)?;
    Ok((first.parse().map_err(|_| error())?, second.parse().map_err(|_| error())?))
}

fn definition(line: &mut Cursor<'_>) -> Result<String> {
    match line.next() {
        Some(Token::Json(text)) => Ok((*text).to_owned()),
        Some(Token::Quoted(text)) => Ok(text.clone()),
        _ => Err("the definition is missing: an object in braces".into()),
    }
}
