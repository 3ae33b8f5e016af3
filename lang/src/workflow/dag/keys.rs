//! What a `workflow.toml` may say, read with the places that messages are told at.

use super::requirements::Requirements;
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::nearest;
use crate::span::Span;
use crate::tables::{Placed, Places, Tables, Value, keys};
use crate::workflow::english::English;
use aivm_schema::param::{Param, ParamError};
use aivm_schema::unit::{Milliseconds, Retention};
use aivm_schema::worker::{Backoff, Effect, Resources, Run, Settings, Workspace};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::num::NonZeroU16;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of a file that hold tables.
pub(in crate::workflow) const GROUPS: [&str; 5] = ["parameters", "requirements", "actions", "steps", "artifacts"];

/// A `workflow.toml`: steps that need each other.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Workflow {
    #[schemars(flatten)]
    pub about: About,
    /// `[parameters.NAME]`: what it asks of whoever starts it.
    #[schemars(rename = "parameters", with = "BTreeMap<String, Param>", default)]
    pub params: Vec<Named<Param>>,
    /// `[requirements]`: what has to be there before any step begins.
    #[schemars(default)]
    pub requirements: Requirements,
    /// `[actions.NAME]`: what several steps do alike.
    #[schemars(with = "BTreeMap<String, Action>", default)]
    pub actions: Vec<Named<Action>>,
    /// The steps, by their names or in a list.
    #[schemars(with = "Steps")]
    pub steps: Vec<Named<Step>>,
    /// `[artifacts.NAME]`: the files that it is run for.
    #[schemars(with = "BTreeMap<String, Artifact>", default)]
    pub artifacts: Vec<Named<Artifact>>,
    /// The groups in which something has a name that could not be read, which was told: whatever is not found may be that.
    #[schemars(skip)]
    pub hides: Vec<&'static str>,
}

impl Workflow {
    /// May `steps`, `actions` or `parameters` hold more than was read?
    pub fn hides(&self, group: &str) -> bool {
        self.hides.contains(&group)
    }
}

/// How steps are written.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code, reason = "what reads them tells what is wrong with each by itself; this is their schema")]
enum Steps {
    /// `[steps.NAME]`
    ByName(BTreeMap<String, Step>),
    /// `[[steps]]`
    Listed(Vec<Step>),
}

/// Something that has a name, and where that stands.
pub(super) struct Named<T> {
    pub name: String,
    pub span: Span,
    /// Something in it could not be read, which was told: what it lacks may have been meant there.
    pub is_broken: bool,
    /// Where its keys stand.
    pub places: Places,
    pub it: T,
}

impl<T> Named<T> {
    /// Where a key's value stands; else its name.
    pub fn value(&self, tables: &Tables, key: &str) -> Span {
        self.places.value(key).map_or(self.span, |range| tables.span(range))
    }
}

/// What is said of the workflow as a whole.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct About {
    /// Who it is: a name, and behind an `@` perhaps its version.
    pub id: Option<Placed<String>>,
    /// What it is called, for those who read it; so are the next four.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Words that it is found by.
    pub tags: Vec<String>,
    /// The terms under which it may be used.
    pub license: String,
    /// Where more about it stands.
    pub homepage: String,
    /// How many calls may be under way at once.
    pub concurrency: Option<NonZeroU16>,
}

/// `[steps.NAME]`, or an element of `[[steps]]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Step {
    /// Its name, in `[[steps]]`.
    pub id: Option<Placed<String>>,
    /// What it is about.
    pub description: String,
    /// An action of this file, or a worker.
    pub uses: Option<Placed<String>>,
    /// A line for the shell, or a program and its arguments.
    pub run: Option<Run>,
    /// Laid over the settings of what it uses.
    pub inputs: Settings,
    /// What a call does to the world.
    pub effect: Option<Effect>,
    /// Variables of its command, laid over those of its action.
    pub env: BTreeMap<String, String>,
    /// The steps that come before it, and whose outputs are its input.
    pub needs: Vec<Placed<String>>,
    /// The condition under which it is done at all.
    pub when: Option<Placed<String>>,
    /// The condition that ends its repetition.
    pub until: Option<Placed<String>>,
    /// How often it is done at most.
    pub max_iterations: Option<Placed<NonZeroU16>>,
    /// How often it is called again after a failure.
    pub retry: Option<u16>,
    /// The wait before that.
    pub backoff: Option<Backoff>,
    /// The deadline of one call.
    pub timeout: Option<Milliseconds>,
    /// Where its command works.
    pub workspace: Option<Workspace>,
    /// What becomes of the workflow when it fails.
    pub on_failure: OnFailure,
    /// Of steps that wait for their turn the one with the highest begins first.
    pub priority: Option<i32>,
    /// What it takes of the machine: it waits until that much is left.
    pub resources: Option<Resources>,
}

/// What becomes of the workflow when a step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum OnFailure {
    /// It fails, and what is under way is stopped.
    #[default]
    FailFast,
    /// It goes on with what the step was given.
    Continue,
}

/// `[actions.NAME]`: what several steps do alike.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Action {
    /// What it is about.
    pub description: String,
    /// The worker that it calls.
    pub uses: Option<Placed<String>>,
    /// A line for the shell, or a program and its arguments.
    pub run: Option<Run>,
    /// Laid over the settings of its worker.
    pub inputs: Settings,
    /// What a call does to the world.
    pub effect: Option<Effect>,
    /// Variables of its command.
    pub env: BTreeMap<String, String>,
    /// How often it is called again after a failure.
    pub retry: Option<u16>,
    /// The wait before that.
    pub backoff: Option<Backoff>,
    /// The deadline of one call.
    pub timeout: Option<Milliseconds>,
    /// Where its command works.
    pub workspace: Option<Workspace>,
}

/// Reads the file; what cannot be read is told.
pub(super) fn read(tables: &mut Tables, table: DeTable) -> Workflow {
    let of_about = keys::<About>();
    let mut requirements = Requirements::default();
    let mut hides = Vec::new();
    let (mut about, mut params, mut actions) = (DeTable::new(), Vec::new(), Vec::new());
    let (mut steps, mut artifacts) = (Vec::new(), Vec::new());
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "parameters" => params = group(tables, &mut hides, "parameters", value),
            "requirements" => requirements = tables.table("`[requirements]`", value).unwrap_or_default(),
            "actions" => actions = group(tables, &mut hides, "actions", value),
            "steps" => steps = read_steps(tables, &mut hides, value),
            "artifacts" => artifacts = group(tables, &mut hides, "artifacts", value),
            name if of_about.contains(&name) => _ = about.insert(key, value),
            other => {
                let known: Vec<&str> = of_about.iter().copied().chain(GROUPS).collect();
                hides.extend(
                    nearest(other, known.iter().copied())
                        .and_then(|near| GROUPS.into_iter().find(|group| *group == near)),
                );
                tables.unknown(key.span(), "a workflow", other, &known);
            }
        }
    }
    let about: About = tables.table("a workflow", Spanned::new(0..0, DeValue::Table(about))).unwrap_or_default();
    if let Some(id) = about.id.as_ref().filter(|id| !is_id(id.get_ref())) {
        let message =
            format!("`{}` is no id: a name, and behind an `@` perhaps a version, `release@1.2.3`", id.get_ref());
        tables.wrong(id.span(), message);
    }
    Workflow { about, params, requirements, actions, steps, artifacts, hides }
}

/// What is wrong with the file as a whole, and with its parameters.
pub(super) fn check(tables: &mut Tables, workflow: &Workflow) {
    if workflow.steps.is_empty() && !workflow.hides("steps") {
        let diagnostic =
            Diagnostic::new(Code::Workflow, Span::new(0, 1), "the workflow has no steps, and so nothing to do");
        tables.report(diagnostic.help("give it one: `[steps.build]`, and below that `run = \"make\"`"));
    }
    let steps = workflow.steps.iter().map(|step| (step.it.timeout, step.value(tables, "timeout")));
    let actions = workflow.actions.iter().map(|action| (action.it.timeout, action.value(tables, "timeout")));
    let in_no_time: Vec<Span> =
        steps.chain(actions).filter(|(timeout, _)| *timeout == Some(Milliseconds(0))).map(|(_, span)| span).collect();
    for span in in_no_time {
        let diagnostic = Diagnostic::new(Code::Workflow, span, "nothing is done in no time: this `timeout` is 0");
        tables.report(diagnostic.help("write how long it may take, `timeout = \"30s\"`; or leave it out"));
    }
    let steps = workflow.steps.iter().map(|step| (&step.it.workspace, step.value(tables, "workspace")));
    let actions = workflow.actions.iter().map(|action| (&action.it.workspace, action.value(tables, "workspace")));
    let in_capitals: Vec<(String, Span)> =
        steps.chain(actions).filter_map(|(is, at)| Some((capitals(is)?, at))).collect();
    for (word, span) in in_capitals {
        let diagnostic = Diagnostic::new(Code::Workflow, span, "this `workspace` is a folder with the name of a word");
        tables.report(diagnostic.fix(format!("did you mean `{word}`?"), vec![(span, format!("{word:?}"))]));
    }
    for param in workflow.params.iter().filter(|param| !param.is_broken) {
        if let Err(error) = param.it.check() {
            let message = format!("`[parameters.{}]`: {error}", param.name);
            let key = match error {
                ParamError::NoPattern(_) => "pattern",
                ParamError::NotOfItsType(..) | ParamError::NoMatch(..) | ParamError::RequiredDefault => "default",
                ParamError::NoChoices => "type",
                ParamError::ChoicesOfNone => "choices",
            };
            tables.report(Diagnostic::new(Code::Workflow, param.value(tables, key), message));
        }
    }
}

/// The word that a workspace was probably meant to be.
fn capitals(workspace: &Option<Workspace>) -> Option<String> {
    let Some(Workspace::Within(folder)) = workspace else { return None };
    let word = folder.to_ascii_lowercase();
    ["ephemeral", "inherit"].contains(&word.as_str()).then_some(word)
}

/// What is kept of a run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Artifact {
    /// What they are.
    pub description: String,
    /// The files: a path, or a pattern of paths.
    #[schemars(required)]
    pub path: Paths,
    /// How long they are kept at least; none: as long as the run.
    pub retention: Option<Kept>,
    /// Is it a failure when there are none?
    pub required: bool,
    /// The step that makes them; none: all.
    pub from: Option<Placed<String>>,
}

impl Default for Artifact {
    fn default() -> Artifact {
        Artifact { description: String::new(), path: Paths::default(), retention: None, required: true, from: None }
    }
}

/// One, or several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a path, or a list of paths")]
pub(super) enum Paths {
    One(String),
    Many(Vec<String>),
}

impl Default for Paths {
    fn default() -> Paths {
        Paths::Many(Vec::new())
    }
}

impl Paths {
    pub fn all(&self) -> &[String] {
        match self {
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }
}

/// A span of time in words, or `forever`.
#[derive(Clone, Copy, Debug, JsonSchema)]
pub(super) struct Kept(
    #[schemars(with = "String", extend("pattern" = "^\\s*([0-9]+\\s*[A-Za-z]+|forever)\\s*$"))] pub Retention,
);

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Kept, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim() == "forever" {
            return Ok(Kept(Retention::Forever));
        }
        match text.parse::<English>() {
            Ok(English(span)) => Ok(Kept(Retention::For(span))),
            Err(error) => Err(serde::de::Error::custom(format!("{error}, or `forever`"))),
        }
    }
}

/// A name, which may have an owner before a slash, and perhaps a version of three numbers.
fn is_id(id: &str) -> bool {
    let (name, version) = id.split_once('@').map_or((id, None), |(name, version)| (name, Some(version)));
    let in_a_name = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_version = |version: &str| {
        let numbers = version.split(['-', '+']).next().unwrap_or(version);
        numbers.split('.').count() == 3 && numbers.split('.').all(is_number)
    };
    !name.is_empty() && name.chars().all(in_a_name) && version.is_none_or(is_version)
}

/// `[group.NAME]`, in the order in which they are written.
fn group<T: DeserializeOwned + Default>(
    tables: &mut Tables,
    hides: &mut Vec<&'static str>,
    group: &'static str,
    value: Value,
) -> Vec<Named<T>> {
    let span = value.span();
    let DeValue::Table(table) = value.into_inner() else {
        hides.push(group);
        tables.wrong(span, format!("`{group}` holds tables, each with a name: `[{group}.NAME]`"));
        return Vec::new();
    };
    let mut all: Vec<_> = table.into_iter().collect();
    all.sort_by_key(|(name, _)| name.span().start);
    let read = |(name, value): (Spanned<_>, Value)| {
        let span = tables.span(name.span());
        let name: std::borrow::Cow<str> = name.into_inner();
        let (before, places) = (tables.errors.len(), Places::of(&value));
        let it = tables.table(&format!("`[{group}.{name}]`"), value).unwrap_or_default();
        Named { name: name.into_owned(), span, is_broken: tables.errors.len() > before, places, it }
    };
    all.into_iter().map(read).collect()
}

/// Both spellings: a table of tables, and a list of tables with an `id` each.
fn read_steps(tables: &mut Tables, hides: &mut Vec<&'static str>, value: Value) -> Vec<Named<Step>> {
    match value.get_ref() {
        DeValue::Array(_) => {}
        _ => {
            let steps: Vec<Named<Step>> = group(tables, hides, "steps", value);
            for id in steps.iter().filter_map(|step| step.it.id.as_ref()) {
                tables.wrong(id.span(), "the name of this step stands in `[steps.NAME]`: it has no `id`".to_owned());
            }
            return steps;
        }
    }
    let DeValue::Array(list) = value.into_inner() else { return Vec::new() };
    let mut steps: Vec<Named<Step>> = Vec::new();
    for (at, value) in list.into_iter().enumerate() {
        let whole = tables.span(value.span());
        let (before, places, is_table) = (tables.errors.len(), Places::of(&value), value.get_ref().is_table());
        let it: Step = tables.table(&format!("step {} of `[[steps]]`", at + 1), value).unwrap_or_default();
        match &it.id {
            Some(id) => {
                let (name, span) = (id.get_ref().clone(), tables.span(id.span()));
                steps.push(Named { name, span, is_broken: tables.errors.len() > before, places, it });
            }
            None => {
                hides.push("steps");
                // What was written and could not be read is told already.
                if is_table && !places.has("id") {
                    let message = format!("step {} of `[[steps]]` has no `id`", at + 1);
                    tables.report(Diagnostic::new(Code::Workflow, whole, message).help("name it: `id = \"build\"`"));
                }
            }
        }
    }
    let mut first: rustc_hash::FxHashMap<&str, Span> = rustc_hash::FxHashMap::default();
    let mut twice = Vec::new();
    for step in &steps {
        match first.get(step.name.as_str()) {
            Some(first) => twice.push((step.name.clone(), step.span, *first)),
            None => _ = first.insert(&step.name, step.span),
        }
    }
    for (name, span, first) in twice {
        let message = format!("two steps are called `{name}`");
        tables.report(Diagnostic::new(Code::StepTwice, span, message).label(first, "the first"));
    }
    steps
}
