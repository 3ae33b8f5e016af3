//! `when`: says whether a condition holds, so that an outcome can follow it. Conditions are written in CEL, the Common Expression
//! Language, which has neither loops without end nor effects. What is left to bound is how deep and how long one judges.

use super::input::{Call, Part};
use super::setting::{Kind, Options, Setting, nearest};
use super::{Builtin, Effect, Failure, Output};
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};
use cel::objects::{Key, Map};
use cel::parser::Parser;
use cel::{Context, Value};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;

/// The longest condition, in bytes.
const MOST_TEXT: usize = 4 << 10;
/// The deepest nesting of a condition: of its brackets while it is read, of its operations while it is judged.
const MOST_DEPTH: u16 = 32;
/// The most text that a condition looks at, in bytes.
const MOST_SEEN: usize = 256 << 10;
/// The most values within JSON that a condition looks at: `l.all(x, x in l)` takes the square of it.
const MOST_VALUES: usize = 2_000;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "when",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::required(
            "that",
            Kind::Text,
            "the condition, in CEL; it sees `params`, `steps.NAME.output` and `input`",
        ),
        Setting::choice(
            "otherwise",
            &["send", "back", "cancel"],
            "the word where it does not hold; where it holds, `continue`",
        ),
        Setting::optional(
            "steps",
            Kind::List,
            "the names of the inputs, in their order; not set: those of the steps that they come from",
        ),
        Setting::optional(
            "params",
            Kind::Table,
            "the parameters that it may see, each with its type: `text`, `integer`, `number` or `boolean`; not set: all, as texts",
        ),
    ],
    check: |with| read(with).map(drop),
    run,
};

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let condition = read(&call.with)?;
    let mut context = Context::default();
    let mut seen = Seen::default();
    context.add_variable_from_value("params", params(call)?);
    let parts = call.parts();
    let names = call.with.list("steps");
    let (mut steps, mut values) = (HashMap::new(), Vec::with_capacity(parts.len()));
    for (at, part) in parts.iter().enumerate() {
        let name = names.as_ref().and_then(|names| names.get(at)).copied().unwrap_or(part.name);
        let value = seen.part(part)?;
        steps.insert(key(name), map(HashMap::from([(key("output"), value.clone())])));
        values.push(value);
    }
    context.add_variable_from_value("steps", map(steps));
    let input = match values.as_slice() {
        [one] => one.clone(),
        _ => Value::List(Arc::new(values)),
    };
    context.add_variable_from_value("input", input);
    match Value::resolve(&condition, &context) {
        Ok(Value::Bool(true)) => Ok(Output::same().say("continue")),
        Ok(Value::Bool(false)) => Ok(Output::same().say(call.with.text("otherwise"))),
        Ok(other) => Err(Failure::Rejected(format!(
            "`{}` is neither true nor false, but {}: compare it with something",
            call.with.text("that"),
            brief(&format!("{other:?}"))
        ))),
        Err(error) => {
            Err(Failure::Rejected(format!("`{}` cannot be judged: {}", call.with.text("that"), brief(&judged(&error)))))
        }
    }
}

/// Why a condition could not be judged, without the names that the language has for its own parts.
fn judged(error: &cel::ExecutionError) -> String {
    match error {
        cel::ExecutionError::NoSuchKey(name) => format!("there is no `{name}` in what it looks at"),
        cel::ExecutionError::NoSuchOverload(_) => "it compares or joins values of two types".to_owned(),
        other => other.to_string(),
    }
}

/// An error may quote a whole value.
fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The condition, if it can be judged: it can be parsed, sees nothing that is not there, and cannot take long.
fn read(with: &Options<'_>) -> Result<IdedExpr, Failure> {
    let wrong = |reason: String| with.wrong("that", reason);
    let text = with.text("that");
    if text.len() > MOST_TEXT {
        return Err(wrong(format!("is longer than {MOST_TEXT} bytes: let a command judge")));
    }
    let parsed = Parser::new().max_recursion_depth(MOST_DEPTH).parse(text).map_err(|errors| {
        let first = errors.errors.first();
        let (column, reason) =
            first.map_or((1, "it ends too early".to_owned()), |error| (error.pos.1, plain(&error.msg)));
        wrong(format!("is no condition in CEL, at column {column}: {}", brief(&reason)))
    })?;
    if let Some(kind) = no_condition(&parsed.expr) {
        return Err(wrong(format!("is {kind}, neither true nor false: compare it with something, `… == 1`")));
    }
    let types = with.table("params");
    if let Some((name, kind)) = types.and_then(|types| types.iter().find(|(_, kind)| !is_type(kind))) {
        return Err(
            with.wrong("params", format!("gives `{name}` the type {kind}: `text`, `integer`, `number` or `boolean`"))
        );
    }
    let params = types.map(|types| types.iter().map(|(name, kind)| (name.as_str(), Sort::of_type(kind))).collect());
    let steps = with.list("steps");
    let judge = &mut Judge { params, steps, bound: Vec::new(), depth: 0 };
    judge.look(&parsed).map_err(wrong)?;
    judge.sort(&parsed.expr).map_err(wrong)?;
    Ok(parsed)
}

/// What a condition has in the place of an operator, as other languages have it, and how that is written here.
const HABITS: [(&str, &str); 3] = [("=", "`==` compares"), ("and", "write `&&`"), ("or", "write `||`")];

/// The parser's message as a sentence: it lists every token that could stand there, by names that nobody writes.
fn plain(message: &str) -> String {
    let message = message.trim_start_matches("Syntax error: ");
    if let Some((missing, _)) = message.strip_prefix("missing '").and_then(|rest| rest.split_once("' at ")) {
        return format!("`{missing}` is missing");
    }
    let Some((_, there)) = message.split_once('\'') else { return message.to_owned() };
    let there =
        there.split_once("' expecting ").map_or(there.strip_suffix('\'').unwrap_or(there), |(there, _)| there).trim();
    match HABITS.iter().find(|(habit, _)| *habit == there) {
        Some((_, instead)) => format!("`{there}` does not belong here: {instead}"),
        None if there == "<EOF>" => "it ends too early".to_owned(),
        None if there.starts_with(['"', '\'']) => format!("the text `{there}` has no end"),
        None => format!("`{there}` does not belong here"),
    }
}

fn is_type(kind: &Json) -> bool {
    kind.as_str().is_some_and(|kind| ["text", "integer", "number", "boolean"].contains(&kind))
}

/// What a condition certainly is, where that is not true or false.
fn no_condition(expr: &Expr) -> Option<&'static str> {
    const ARITHMETIC: [&str; 6] = ["_+_", "_-_", "_*_", "_/_", "_%_", "-_"];
    match expr {
        Expr::Literal(LiteralValue::Boolean(_)) => None,
        Expr::Literal(LiteralValue::String(_)) => Some("a text"),
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => Some("a number"),
        Expr::Literal(_) => Some("a value"),
        Expr::List(_) => Some("a list"),
        Expr::Map(_) | Expr::Struct(_) => Some("a table"),
        Expr::Call(call) if ARITHMETIC.contains(&call.func_name.as_str()) => Some("a number or a text"),
        Expr::Call(call) if ["size", "int", "uint", "double"].contains(&call.func_name.as_str()) => Some("a number"),
        Expr::Call(call) if call.func_name == "string" => Some("a text"),
        _ => None,
    }
}

/// Looks at a condition before it is judged.
struct Judge<'w> {
    /// The parameters that there are, each with what it is; none: not known.
    params: Option<Vec<(&'w str, Option<Sort>)>>,
    /// The steps that there are; none: not known.
    steps: Option<Vec<&'w str>>,
    /// The variables of `all` and `exists`.
    bound: Vec<String>,
    depth: u16,
}

impl Judge<'_> {
    fn look(&mut self, expr: &IdedExpr) -> Result<(), String> {
        if self.depth > MOST_DEPTH {
            return Err(format!("has more than {MOST_DEPTH} operations within each other: let a command judge"));
        }
        self.depth += 1;
        let looked = self.look_at(&expr.expr);
        self.depth -= 1;
        looked
    }

    fn look_at(&mut self, expr: &Expr) -> Result<(), String> {
        match expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                self.member(&select.operand.expr, &select.field)?;
                self.look(&select.operand)
            }
            Expr::Call(call) => {
                if let ("_[_]", [of, IdedExpr { expr: Expr::Literal(LiteralValue::String(name)), .. }]) =
                    (call.func_name.as_str(), call.args.as_slice())
                {
                    self.member(&of.expr, name.inner())?;
                }
                call.target.iter().try_for_each(|target| self.look(target))?;
                call.args.iter().try_for_each(|argument| self.look(argument))
            }
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.look(element)),
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(_) => Err("makes a value of a type that there is not".to_owned()),
            Expr::Comprehension(each) => {
                // What gathers values, or goes through them within each other, may take any time and any room.
                if matches!(each.accu_init.expr, Expr::List(_) | Expr::Map(_)) {
                    return Err("uses `map` or `filter`, which a condition has not: say `all` or `exists`".to_owned());
                }
                if !self.bound.is_empty() {
                    return Err(
                        "goes through values within values: one `all` or `exists` does not hold another".to_owned()
                    );
                }
                self.look(&each.iter_range)?;
                self.bound.extend([each.iter_var.clone(), each.accu_var.clone()]);
                self.bound.extend(each.iter_var2.clone());
                let parts = [&each.accu_init, &each.loop_cond, &each.loop_step, &each.result];
                let looked = parts.into_iter().try_for_each(|part| self.look(part));
                self.bound.clear();
                looked
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr) -> Result<(), String> {
        match entry {
            EntryExpr::StructField(field) => self.look(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.look(&entry.key)?;
                self.look(&entry.value)
            }
        }
    }

    fn variable(&self, name: &str) -> Result<(), String> {
        const KNOWN: [&str; 3] = ["input", "params", "steps"];
        if KNOWN.contains(&name) || self.bound.iter().any(|bound| bound == name) {
            return Ok(());
        }
        let near = nearest(name, KNOWN.into_iter())
            .map_or("it has `params`, `steps` and `input`".to_owned(), |near| format!("did you mean `{near}`?"));
        Err(format!("names `{name}`, and there is no such variable; {near}"))
    }

    /// `params.NAME` and `steps.NAME`, of those that are known.
    fn member(&self, of: &Expr, name: &str) -> Result<(), String> {
        let params = || self.params.as_ref().map(|params| params.iter().map(|(name, _)| *name).collect());
        let (known, what): (Option<Vec<&str>>, _) = match of {
            Expr::Ident(of) if of == "params" => (params(), "parameter"),
            Expr::Ident(of) if of == "steps" => (self.steps.clone(), "step that it needs"),
            Expr::Select(step)
                if name != "output" && matches!(&step.operand.expr, Expr::Ident(of) if of == "steps") =>
            {
                return Err(format!("asks for `{name}` of a step: it has `steps.{}.output`", step.field));
            }
            _ => return Ok(()),
        };
        let Some(known) = known.filter(|known| !known.contains(&name)) else { return Ok(()) };
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there is none".to_owned(),
            None => format!("there are `{}`", known.join("`, `")),
        };
        Err(format!("names `{name}`, and there is no such {what}; {hint}"))
    }
}

/// What a value is, as far as that is known before it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Truth,
    Number,
    Text,
}

impl Sort {
    fn of_type(kind: &Json) -> Option<Sort> {
        match kind.as_str()? {
            "boolean" => Some(Sort::Truth),
            "integer" | "number" => Some(Sort::Number),
            "text" => Some(Sort::Text),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Sort::Truth => "true or false",
            Sort::Number => "a number",
            Sort::Text => "a text",
        }
    }
}

impl Judge<'_> {
    /// What an expression is, when that is certain; fails where it compares what cannot be compared, or calls what there is not.
    fn sort(&self, expr: &Expr) -> Result<Option<Sort>, String> {
        Ok(match expr {
            Expr::Literal(LiteralValue::Boolean(_)) => Some(Sort::Truth),
            Expr::Literal(LiteralValue::String(_)) => Some(Sort::Text),
            Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => Some(Sort::Number),
            Expr::Select(select) if matches!(&select.operand.expr, Expr::Ident(of) if of == "params") => {
                let known = self.params.iter().flatten().find(|(name, _)| *name == select.field);
                if select.test { Some(Sort::Truth) } else { known.and_then(|(_, sort)| *sort) }
            }
            Expr::Call(call) => {
                let target = call.target.iter().map(|target| &target.expr);
                let of = target.chain(call.args.iter().map(|argument| &argument.expr));
                let sorts = of.map(|one| self.sort(one)).collect::<Result<Vec<_>, String>>()?;
                match (call.func_name.as_str(), sorts.as_slice()) {
                    ("_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_", [Some(one), Some(other)]) if one != other => {
                        return Err(format!("compares {} with {}", one.name(), other.name()));
                    }
                    ("_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_" | "@in", _) => Some(Sort::Truth),
                    ("_&&_" | "_||_" | "!_", sorts) => {
                        match sorts.iter().flatten().find(|sort| **sort != Sort::Truth) {
                            Some(sort) => return Err(format!("takes {} for true or false", sort.name())),
                            None => Some(Sort::Truth),
                        }
                    }
                    ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [one, other]) if one == other => *one,
                    ("size" | "int" | "uint" | "double", _) => Some(Sort::Number),
                    ("string", _) => Some(Sort::Text),
                    ("contains" | "startsWith" | "endsWith" | "matches" | "has", _) => Some(Sort::Truth),
                    (name, _) if name.starts_with(char::is_alphabetic) && !is_function(name) => {
                        return Err(format!("calls `{name}`, and there is no such function"));
                    }
                    _ => None,
                }
            }
            _ => None,
        })
    }
}

/// Is there a function of this name? The language is asked, which has a list of its own.
fn is_function(name: &str) -> bool {
    let call = Parser::new().parse(&format!("{name}()"));
    let answer = call.map(|call| Value::resolve(&call, &Context::default()));
    !matches!(answer, Ok(Err(cel::ExecutionError::UndeclaredReference(_))))
}

/// The run's parameters, each as its type says.
fn params(call: &Call<'_>) -> Result<Value, Failure> {
    let types = call.with.table("params");
    let mut params = HashMap::new();
    for (name, text) in call.context.params {
        let kind = types.and_then(|types| types.get(name)).and_then(Json::as_str);
        let value = match kind {
            Some("integer") => text.parse().ok().map(Value::Int),
            Some("number") => text.parse().ok().map(Value::Float),
            Some("boolean") => text.parse().ok().map(Value::Bool),
            _ => Some(Value::String(Arc::new(text.clone()))),
        };
        let wrong = || {
            Failure::Rejected(format!("the parameter `{name}` is `{}`, and no {}", brief(text), kind.unwrap_or("text")))
        };
        params.insert(key(name), value.ok_or_else(wrong)?);
    }
    Ok(map(params))
}

/// How much a condition has been shown.
#[derive(Default)]
struct Seen {
    bytes: usize,
    values: usize,
}

impl Seen {
    /// JSON where it is JSON, by its type or because it is a whole table or list; else its text, without the line end of a command.
    fn part(&mut self, part: &Part<'_>) -> Result<Value, Failure> {
        let text = part.text()?;
        self.bytes += text.len();
        if self.bytes > MOST_SEEN {
            return Err(too_much(format!("{} KiB of text", MOST_SEEN >> 10)));
        }
        if super::is_json(part.media_type) {
            return self.json(&part.json()?);
        }
        match text.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str(text)) {
            Some(Ok(json)) => self.json(&json),
            _ => Ok(Value::String(Arc::new(text.trim_end_matches(['\r', '\n']).to_owned()))),
        }
    }

    fn json(&mut self, json: &Json) -> Result<Value, Failure> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(too_much(format!("{MOST_VALUES} values")));
        }
        Ok(match json {
            Json::Null => Value::Null,
            Json::Bool(flag) => Value::Bool(*flag),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => Value::Int(number),
                (None, Some(number)) => Value::UInt(number),
                (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Value::String(Arc::new(text.clone())),
            Json::Array(list) => {
                Value::List(Arc::new(list.iter().map(|one| self.json(one)).collect::<Result<_, _>>()?))
            }
            Json::Object(members) => {
                let members = members.iter().map(|(name, value)| Ok((key(name), self.json(value)?)));
                map(members.collect::<Result<_, Failure>>()?)
            }
        })
    }
}

fn too_much(limit: String) -> Failure {
    Failure::Limit { what: "what the condition looks at".to_owned(), limit }
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

fn map(members: HashMap<Key, Value>) -> Value {
    Value::Map(Map { map: Arc::new(members) })
}
