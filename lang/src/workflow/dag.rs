//! `workflow.toml`: steps that need each other become one labelled join, in which a step refers to those it needs and so waits for
//! them and nobody else.

use super::page::{Page, Writer};
use crate::diagnostic::{Code, Diagnostic};
use crate::library::Library;
use crate::lower::nearest;
use crate::span::Span;
use crate::tables::{Tables, Value};
use aivm_schema::worker::{Does, Run, WorkerDefinition};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The label of the join.
const STEPS: &str = "steps";

/// `[steps.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Step {
    /// A line for the shell, or a program and its arguments.
    run: Option<Run>,
    /// The worker that it calls.
    uses: Option<Spanned<String>>,
    /// The steps that come before it, and whose outputs are its input.
    needs: Vec<Spanned<String>>,
}

/// A step with its name.
struct Named {
    name: String,
    /// Where its name stands.
    span: Span,
    word: String,
    step: Step,
}

/// The arrows of a `workflow.toml`.
pub(super) fn page(text: &str, _library: &dyn Library) -> Result<Page, Vec<Diagnostic>> {
    let mut tables = Tables::new(Code::Workflow, 0);
    let table = DeTable::parse(text).map_err(|error| {
        let span = tables.span(error.span().unwrap_or(0..text.len()));
        vec![Diagnostic::new(Code::NoToml, span, format!("this is no TOML: {}", error.message().trim()))]
    })?;
    let mut writer = Writer::default();
    let mut steps = Vec::new();
    for (key, value) in table.into_inner() {
        match key.get_ref().as_ref() {
            "steps" => steps = read_steps(&mut tables, &mut writer, value),
            other => tables.unknown(key.span(), "a workflow", other, &["steps"]),
        }
    }
    let names: FxHashMap<&str, usize> = steps.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
    for step in &steps {
        for need in step.step.needs.iter().filter(|need| !names.contains_key(need.get_ref().as_str())) {
            let message = format!("`{}` needs `{}`, and no step has this name", step.name, need.get_ref());
            let span = tables.span(need.span());
            let diagnostic = Diagnostic::new(Code::UnknownNeed, span, message);
            tables.report(match nearest(need.get_ref(), names.keys().copied()) {
                Some(near) => diagnostic.fix(format!("did you mean `{near}`?"), vec![(span, format!("{near:?}"))]),
                None => diagnostic,
            });
        }
    }
    if !tables.errors.is_empty() {
        tables.errors.sort_by_key(|error| error.primary.span);
        return Err(tables.errors);
    }
    writer.put(&format!("out <= (\n    join[{STEPS}] <= (\n"), Span::default());
    for step in &steps {
        let needs: Vec<&str> = step
            .step
            .needs
            .iter()
            .filter_map(|need| names.get(need.get_ref().as_str()))
            .map(|at| steps[*at].word.as_str())
            .collect();
        let needs: Vec<String> = needs.iter().map(|word| format!("{STEPS}.{word}.out")).collect();
        let caller =
            if needs.is_empty() { step.word.clone() } else { format!("[{} <= {}]", step.word, needs.join(", ")) };
        writer.put(&format!("        {caller} => next\n"), step.span);
        if let Some(run) = &step.step.run {
            writer.worker(&step.word, &WorkerDefinition::new(Does::Command(run.clone())), step.span);
        }
    }
    writer.put("    )\n) <= in\n", Span::default());
    Ok(writer.finish())
}

/// In the order in which they are written.
fn read_steps(tables: &mut Tables, writer: &mut Writer, value: Value) -> Vec<Named> {
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        tables.wrong(span, "`steps` holds tables, each with a name: `[steps.NAME]`".to_owned());
        return Vec::new();
    };
    let mut steps: Vec<_> = table.into_iter().collect();
    steps.sort_by_key(|(name, _)| name.span().start);
    let mut all = Vec::new();
    for (name, value) in steps {
        let span = tables.span(name.span());
        let name = name.into_inner().into_owned();
        let step = tables.table(&format!("`[steps.{name}]`"), value).unwrap_or_default();
        let word = writer.word(&name);
        all.push(Named { name, span, word, step });
    }
    all
}
