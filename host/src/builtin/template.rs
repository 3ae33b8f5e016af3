//! `template`: a text with places that are filled in.

use super::buffer::Buffer;
use super::input::{Call, Part};
use super::setting::{Kind, Options, Setting};
use super::{Builtin, Effect, Failure, Output};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value, json};

/// How many steps a template may take.
const FUEL: u64 = 10_000_000;
/// The longest expression or statement, in characters that are neither white space nor within quotes: the parser and what it
/// builds need stack for each, and running out of it ends the whole program.
const MOST_TAG: usize = 1_000;
/// How far the filter `indent` moves lines at most.
const MOST_INDENT: usize = 64;
/// So many characters of an expression are repeated by an error.
const MOST_NAMED: usize = 80;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "template",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::required(
            "text",
            Kind::Text,
            "the template, in the syntax of Jinja; it sees `input`, `parts`, `params`, `attributes` and `vars`",
        ),
        Setting::optional("vars", Kind::Table, "values that the template sees as `vars`"),
        Setting::text("type", "text/plain", "the media type of what it gives"),
    ],
    check,
    run,
};

/// Values that do not exist are errors; a line with nothing but a `{% … %}` leaves no line.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Its reports show values.
    environment.set_debug(false);
    if let Ok(syntax) =
        SyntaxConfig::builder().keep_trailing_newline(true).trim_blocks(true).lstrip_blocks(true).build()
    {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_recursion_limit(64);
    // Widths come from inputs, and would be allocated whatever they are.
    environment.remove_filter("format");
    environment.add_filter("indent", indent);
    // A namespace can be put into itself, and is then shown for ever.
    environment.remove_global("namespace");
    environment.set_fuel(Some(FUEL));
    environment
}

fn check(with: &Options<'_>) -> Result<(), Failure> {
    let (environment, text) = (environment(), with.text("text"));
    if has_long_tag(text) {
        return Err(with.wrong("text", format!("has an expression of more than {MOST_TAG} characters: divide it")));
    }
    let template = environment.template_from_str(text);
    template.map(|_| ()).map_err(|error| with.wrong("text", format!("does not parse: {}", brief(&error, text))))
}

/// A text with these values filled in.
pub fn render(text: &str, vars: &serde_json::Value) -> Result<String, String> {
    render_with(text, vars, |_| {})
}

/// A text with these values filled in; `prepare` says how they are written, or adds functions.
pub fn render_with(
    text: &str,
    vars: &serde_json::Value,
    prepare: impl FnOnce(&mut Environment<'static>),
) -> Result<String, String> {
    if has_long_tag(text) {
        return Err(format!("an expression has more than {MOST_TAG} characters: divide it"));
    }
    let mut environment = environment();
    prepare(&mut environment);
    let template = environment.template_from_str(text).map_err(|error| brief(&error, text))?;
    let mut out = Buffer::default();
    template.render_captured_to(minijinja::Value::from(Serde(vars)), &mut out).map_err(|error| brief(&error, text))?;
    String::from_utf8(out.into_bytes()).map_err(|error| error.to_string())
}

/// The names that a text asks for; an error when it is no template.
#[cfg(feature = "http")]
pub fn names(text: &str) -> Result<std::collections::HashSet<String>, String> {
    if has_long_tag(text) {
        return Err(format!("an expression has more than {MOST_TAG} characters: divide it"));
    }
    let environment = environment();
    let template = environment.template_from_str(text).map_err(|error| brief(&error, text))?;
    Ok(template.undeclared_variables(false))
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    let (environment, text) = (environment(), call.with.text("text"));
    let template = environment.template_from_str(text);
    let template = template.map_err(|error| Failure::Template(brief(&error, text)))?;
    let mut parts = Map::new();
    for part in call.input.parts {
        parts.insert(part.name.to_owned(), part.value()?);
    }
    let input = match call.input.parts {
        [] => Part { name: "in", media_type: call.input.media_type, payload: call.input.payload, verdict: None }
            .value()?,
        parts => Value::Array(parts.iter().map(Part::value).collect::<Result<_, _>>()?),
    };
    let attributes: Map<String, Value> =
        call.input.attributes.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    let vars = call.with.table("vars");
    let params = call.context.params;
    let seen = json!({ "input": input, "parts": parts, "params": params, "attributes": attributes, "vars": vars });
    let mut out = Buffer::default();
    match template.render_captured_to(minijinja::Value::from(Serde(seen)), &mut out) {
        Ok(_) => Ok(Output::new(call.with.text("type"), out.into_bytes())),
        Err(error) if out.is_full() => Err(Failure::Limit { what: brief(&error, text), limit: "64 MiB".into() }),
        Err(error) => Err(Failure::Template(format!("the template does not render: {}", brief(&error, text)))),
    }
}

/// See [`MOST_TAG`]. Every `{{` and `{%` is looked at, also within comments and quotes: what hides there need not be known.
fn has_long_tag(text: &str) -> bool {
    text.match_indices('{').filter_map(|(at, _)| text.get(at + 1..)?.strip_prefix(['{', '%'])).any(|tag| {
        let (mut length, mut quote, mut last) = (0, None, ' ');
        for c in tag.chars() {
            match quote {
                Some(open) if c == open && last != '\\' => quote = None,
                Some(_) => {}
                None if length > MOST_TAG => return true,
                None if c == '}' && matches!(last, '}' | '%') => return false,
                None if matches!(c, '"' | '\'') => quote = Some(c),
                None => length += usize::from(!c.is_whitespace()),
            }
            // A backslash that is itself escaped escapes nothing.
            last = if last == '\\' { ' ' } else { c };
        }
        length > MOST_TAG
    })
}

/// The lines below the first moved in by so many spaces, 4 unless said.
fn indent(text: String, width: Option<usize>) -> String {
    let space = " ".repeat(width.unwrap_or(4).min(MOST_INDENT));
    text.replace('\n', &format!("\n{space}"))
}

/// What is wrong with this template, with the expression that has no value.
fn brief(error: &minijinja::Error, text: &str) -> String {
    let line = error.line().map(|line| format!(" in line {line}")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let named = error.range().filter(|_| error.kind() == ErrorKind::UndefinedError && error.detail().is_none());
    let named = named.and_then(|range| text.get(range)).map(|named| {
        let named = named.split_whitespace().collect::<Vec<_>>().join(" ");
        match named.char_indices().nth(MOST_NAMED) {
            Some((at, _)) => format!(": `{}…`", named.get(..at).unwrap_or("")),
            None => format!(": `{named}`"),
        }
    });
    format!("{}{}{detail}{line}", error.kind(), named.unwrap_or_default())
}
