//! The page of a saga: a definition for each step, and one switch that calls them in their order.

use super::order::order;
use super::policy::{Decision, Policy, Request};
use super::read::Reader;
use super::spec::{Compensation, Kind, Named, Saga, Values};
use crate::diagnostic::{Code, Diagnostic};
use crate::library::Library;
use crate::span::Span;
use crate::tables::{Placed, Tables};
use crate::workflow::page::{Page, Writer, only_recorded};
use aivm_schema::unit::Milliseconds;
use aivm_schema::worker::{Does, MockEntry, WorkerDefinition};
use call::Called;
use rustc_hash::FxHashMap;
use serde_json::json;

mod call;
mod undo;

/// The workers that pages call by their own names: no step is called so.
const OWN: [&str; 8] = ["inputs", "merge-state", "merge-states", "initial-state", "approve", "reject", "begin", "done"];
/// The keys that say something about a call.
const OF_A_CALL: [&str; 5] = ["inputs", "compensation", "max_retries", "timeout_seconds", "approval_config"];
/// How long a limit may be, in seconds.
const POSSIBLE: std::ops::Range<f64> = 0.001..1e9;

/// The address of a web hook as it may stand in a page: one by https without a credential, or the name of a secret.
fn web_hook(address: &serde_json::Value) -> Result<&str, &'static str> {
    let address = address.as_str().ok_or("is no text")?.trim();
    let is_named = ["secret(\"", "secret('"].iter().any(|begins| address.starts_with(begins));
    let rest = match address.strip_prefix("https://") {
        None if is_named => return Ok(address),
        None => return Err("does not begin with `https://`"),
        Some(rest) => rest,
    };
    match rest.contains(['@', '?', '#', '{']) {
        true => Err("may hold a credential, or is filled in: it has one of `@ ? # {`"),
        false => Ok(address),
    }
}

/// The page; what is wrong is told to the reader, and the page is then not to be used.
pub(super) fn page(reader: &mut Reader, saga: &Saga, policies: &[&Policy], file: &str, library: &dyn Library) -> Page {
    let mut writer = Writer::default();
    OWN.iter().for_each(|word| writer.reserve(word));
    let mut author = Author {
        reader,
        saga,
        policies,
        file,
        library,
        writer,
        words: FxHashMap::default(),
        called: FxHashMap::default(),
        decides: false,
        has_several: false,
    };
    author.reserve(&saga.steps);
    author.name(&saga.steps);
    author.program();
    for warning in std::mem::take(&mut author.reader.warnings) {
        author.writer.warn(warning);
    }
    author.writer.finish()
}

/// Writes definitions one after the other, and says how each is called.
struct Author<'a> {
    reader: &'a mut Reader,
    saga: &'a Saga,
    policies: &'a [&'a Policy],
    file: &'a str,
    library: &'a dyn Library,
    writer: Writer,
    /// The word of each step.
    words: FxHashMap<&'a str, String>,
    /// Whom each capability calls.
    called: FxHashMap<String, Called>,
    /// Is it written down what a person's decision leads to?
    decides: bool,
    /// Is a step taken back by several?
    has_several: bool,
}

impl<'a> Author<'a> {
    /// What steps call by a single word, they are not called themselves.
    fn reserve(&mut self, steps: &'a [Named]) {
        for step in steps {
            let compensation = step.step.compensation.as_ref().and_then(|undo| undo.capability.as_ref());
            for name in step.step.capability.iter().chain(compensation) {
                self.writer.reserve(name.get_ref());
            }
            self.reserve(&step.steps);
        }
    }

    fn name(&mut self, steps: &'a [Named]) {
        for step in steps {
            let word = self.writer.word(&step.name);
            self.words.insert(&step.name, word);
            self.name(&step.steps);
        }
    }

    fn program(&mut self) {
        let saga = self.saga;
        self.put(&format!("; {}\n", one_line(&saga.name)), saga.span);
        for line in &saga.about {
            self.put(&format!("; {}\n", one_line(line)), saga.span);
        }
        self.compensations();
        let mut lines = self.beginning();
        lines.extend(self.in_order(&saga.steps));
        if self.has_several {
            self.put("done <= ()\n\n", saga.span);
        }
        let limit = self.limit(saga.limit_seconds.as_ref());
        let label = self.writer.word(&saga.name);
        self.put(&format!("out <= (\n    switch[{label}]{limit} <= (\n"), saga.span);
        for (line, span) in lines {
            self.put(&format!("        {line}\n"), span);
        }
        self.put("    )\n) <= in\n", saga.span);
    }

    /// The lines that call these steps one after the other.
    fn in_order(&mut self, steps: &'a [Named]) -> Vec<(String, Span)> {
        let groups = order(self.reader, steps);
        let mut lines = Vec::new();
        for group in groups {
            lines.push(match group.as_slice() {
                [one] => (self.step(one), one.span),
                several => {
                    let first = several.first().map(|step| step.span).unwrap_or_default();
                    let word = self.writer.word("together");
                    self.fan(&word, several, first);
                    (format!("{word} => next"), first)
                }
            });
        }
        lines
    }

    /// Writes what a step needs. Returns the line that calls it.
    fn step(&mut self, named: &'a Named) -> String {
        let step = &named.step;
        let word = self.words.get(named.name.as_str()).cloned().unwrap_or_default();
        let mut guards = Vec::new();
        if let Some(condition) = &step.condition {
            let when = self.writer.word(&format!("{}-when", named.name));
            self.judges(&when, named, condition);
            guards.push(format!("{when} => continue | send"));
        } else if step.step_type == Kind::Condition {
            self.lacks(Code::Saga, named, "a step of type CONDITION has a `condition`");
        }
        match self.judge(named) {
            Decision::Allow => {}
            Decision::RequireApproval => {
                let asks = self.writer.word(&format!("approve-{}", named.name));
                let capability = step.capability.as_ref().map_or("", |capability| capability.get_ref());
                self.approval(&asks, named, &format!("May `{}` call {capability}?", named.name));
                guards.push(format!("{asks} => next"));
            }
            Decision::Deny => return self.denied(&word, named),
        }
        if guards.is_empty() && step.step_type != Kind::Condition {
            return self.core(&word, named);
        }
        let lines = match step.step_type {
            Kind::Condition if !named.steps.is_empty() => {
                self.idle(named, &OF_A_CALL);
                self.in_order(&named.steps).into_iter().map(|(line, _)| line).collect()
            }
            _ => {
                let core = self.writer.word(&format!("do-{}", named.name));
                vec![self.core(&core, named)]
            }
        };
        let lines: String = guards.iter().chain(&lines).map(|line| format!("        {line}\n")).collect();
        self.put(&format!("{word} <= (\n    switch <= (\n{lines}    )\n)\n\n"), named.span);
        format!("{word} => next")
    }

    /// What a step does, without what has to hold first.
    fn core(&mut self, word: &str, named: &'a Named) -> String {
        let step = &named.step;
        if !step.description.is_empty() {
            self.put(&format!("; {}\n", one_line(&step.description)), named.span);
        }
        if named.asks() {
            // A template is filled in among the inputs, which are shown below the question.
            let message = step.inputs.get("message").and_then(|message| message.as_str());
            let message = message.filter(|message| !message.contains("{{"));
            let question = message.map_or_else(|| format!("May it go on at `{}`?", named.name), str::to_owned);
            self.approval(word, named, &question);
            self.idle(named, &["capability", "compensation", "max_retries", "steps"]);
            return format!("{word} => next");
        }
        match (&step.capability, named.steps.is_empty(), step.step_type) {
            (Some(capability), true, _) => {
                self.idle(named, &["approval_config"]);
                self.action(word, named, capability)
            }
            (None, false, Kind::Parallel) => {
                for waits in named.steps.iter().filter(|inner| !inner.step.depends_on.is_empty()) {
                    let why = "steps of a PARALLEL step run at the same time: none depends on another";
                    self.wrong(Code::Saga, waits, why);
                }
                let steps: Vec<&Named> = named.steps.iter().collect();
                self.fan(word, &steps, named.span);
                self.idle(named, &OF_A_CALL);
                format!("{word} => next")
            }
            (Some(_), false, _) => {
                self.wrong(Code::StepDoesNothing, named, "a step has a `capability` or `steps`, not both");
                String::new()
            }
            (None, false, _) => {
                self.lacks(Code::Saga, named, "only a step of type PARALLEL or CONDITION has `steps`");
                String::new()
            }
            (None, true, _) => {
                self.lacks(Code::StepDoesNothing, named, "this step has nothing to do: give it a `capability`");
                String::new()
            }
        }
    }

    /// Keys of a step that mean nothing to one of its type.
    fn idle(&mut self, named: &Named, keys: &[&str]) {
        let step = &named.step;
        let is_called = |capability: &Placed<String>| capability.get_ref() != "human.approve";
        let said = [
            ("capability", step.capability.as_ref().is_some_and(is_called)),
            ("condition", step.condition.is_some()),
            ("inputs", !step.inputs.is_empty()),
            ("compensation", step.compensation.is_some()),
            ("max_retries", step.max_retries.is_some()),
            ("timeout_seconds", step.timeout_seconds.is_some()),
            ("approval_config", step.approval_config.is_some()),
            ("steps", !named.steps.is_empty()),
        ];
        for (key, _) in said.iter().filter(|(key, said)| *said && keys.contains(key)) {
            let what = format!("`{key}` of `{}`, a step of this type,", named.name);
            let span = named.key(&self.reader.tables, key);
            self.reader.warnings.push(only_recorded(span, &what));
        }
    }

    /// Several steps at the same time: each begins with the state that all begin with, and what each changed is merged.
    fn fan(&mut self, word: &str, steps: &[&'a Named], span: Span) {
        let lines: Vec<(String, Span)> = steps.iter().map(|step| (self.step(step), step.span)).collect();
        self.put(&format!("{word} <= (\n    join[{word}] <= (\n"), span);
        for (line, span) in lines {
            self.put(&format!("        {line}\n"), span);
        }
        self.put(
            &format!("    ) <= switch <= (\n        [merge-states <= in, {word}.out] => next\n    )\n)\n\n"),
            span,
        );
    }

    /// A step that calls a capability.
    fn action(&mut self, word: &str, named: &'a Named, capability: &Placed<String>) -> String {
        let step = &named.step;
        let called = self.call(capability, Some(&step.inputs), &named.name);
        self.look(&called, &step.inputs, |tables, message| named.input(tables, message));
        let inputs = self.inputs(&named.name, &step.inputs, named.span);
        let limit = self.limit(step.timeout_seconds.as_ref());
        let mut undos = self.compensations_of(named);
        if called.undoes_itself {
            for (undo, _) in undos.drain(..) {
                let what = format!(
                    "the compensation of `{}`, because `{}` is taken back exactly by itself,",
                    named.name,
                    capability.get_ref()
                );
                self.reader.warnings.push(only_recorded(self.span(undo), &what));
            }
        }
        let several = if undos.len() > 1 { Some(word) } else { None };
        let word = &several.map_or(word.to_owned(), |_| self.writer.word(&format!("do-{}", named.name)));
        let merge = self.merging(word, &named.name, named.span);
        self.put(&format!("{word} <= (\n    switch[{word}] <= (\n        {inputs} => next\n"), named.span);
        self.put(&format!("        {}{limit} => next\n", called.word), self.span(capability));
        self.put(
            &format!("    ) <= switch <= (\n        [{merge} <= in, {word}.out] => next\n    )\n)\n\n"),
            named.span,
        );
        let mut undoers = Vec::new();
        for (undo, inputs) in undos {
            let undoer = self.writer.word(&format!("undo-{}", named.name));
            self.undoer(&undoer, undo, inputs);
            undoers.push(format!(" ~ {undoer}"));
        }
        let retry = match step.max_retries.as_ref().map(Placed::get_ref) {
            Some(attempts @ 2..) => format!(" | retry * {}", (attempts - 1).min(u32::from(u16::MAX))),
            _ => String::new(),
        };
        let call = format!("{word}{} => next{retry}", undoers.pop().unwrap_or_default());
        let Some(all) = several else { return call };
        // Each is the undoer of something that was done, the last that is written of the first: so they are called in the order in
        // which they are written, and one that fails keeps none of the others from running.
        self.has_several = true;
        let rest: String = undoers.iter().rev().map(|undo| format!("        done{undo} => next\n")).collect();
        self.put(&format!("{all} <= (\n    switch <= (\n        {call}\n{rest}    )\n)\n\n"), named.span);
        format!("{all} => next")
    }

    /// Asks a person. What they decide about are the inputs, filled in; a "no" is a failure, so everything is taken back.
    fn approval(&mut self, word: &str, named: &'a Named, question: &str) {
        let step = &named.step;
        let mut inputs = step.inputs.clone();
        let webhook = inputs.remove("webhook_url");
        let inputs = self.inputs(word, &inputs, named.span);
        let asks = self.writer.word(&format!("{word}-asks"));
        let risk = step.risk_level.unwrap_or_default().word();
        let mut human = WorkerDefinition::new(Does::Human(format!("{} (risk: {risk})", question.trim())));
        human.mock = Some(vec![MockEntry::Verdict("approve".to_owned())]);
        let seconds = step.timeout_seconds.as_ref().filter(|_| named.asks()).map(|seconds| *seconds.get_ref());
        human.timeout = seconds.filter(|seconds| POSSIBLE.contains(seconds)).map(milliseconds);
        if let Some(config) = &step.approval_config {
            let seconds = ["timeout_seconds", "timeout"].iter().find_map(|key| config.get_ref().get(*key)?.as_f64());
            let seconds = seconds.filter(|seconds| POSSIBLE.contains(seconds));
            human.timeout = seconds.map(milliseconds).or(human.timeout);
            if config.get_ref().keys().any(|key| !key.starts_with("timeout")) {
                let what = format!("`approval_config` of `{}`, but for its timeout,", named.name);
                self.reader.warnings.push(only_recorded(self.span(config), &what));
            }
        }
        if let Some(address) = webhook {
            match web_hook(&address) {
                Ok(address) => _ = human.with.insert("webhook".to_owned(), address.into()),
                Err(reason) => self.reader.tables.report(
                    Diagnostic::new(Code::WebHook, named.span, format!("`webhook_url` of `{}` {reason}", named.name))
                        .reason("a program is kept and shown, and so is an address that stands in it")
                        .help("keep the address by  aivm secret set HOOK  and write  webhook_url: secret(\"HOOK\")"),
                ),
            }
        }
        self.writer.worker(&asks, &human, named.span);
        self.decisions();
        let merge = self.merging(word, &named.name, named.span);
        // Whatever goes wrong with a question is a "no": a failure takes the first jump.
        let late = if human.timeout.is_some() { " | timeout" } else { "" };
        let text = format!(
            "{word} <= (\n    switch[{word}] <= (\n        {inputs} => next\n        {asks} => [{word}.reject.jump] | [{word}.approve.jump]{late}\n        \
             reject => next\n        approve => next\n    ) <= switch <= (\n        [{merge} <= in, {word}.out] => next\n    )\n)\n\n"
        );
        self.put(&text, named.span);
    }

    /// What the policies say to a step.
    fn judge(&self, named: &Named) -> Decision {
        let step = &named.step;
        // To ask a person needs nobody's permission.
        let Some(capability) = step.capability.as_ref().filter(|_| !named.asks()) else { return Decision::Allow };
        let risk = step.risk_level.unwrap_or_default();
        if self.policies.is_empty() {
            return if risk.asks() { Decision::RequireApproval } else { Decision::Allow };
        }
        let principals = self.principals(named);
        let request = self.request(named, capability, &principals);
        self.policies.iter().map(|policy| policy.judge(&request)).max().unwrap_or(Decision::Allow)
    }

    /// What the policies are asked about a step.
    fn request<'r>(&'r self, named: &Named, capability: &'r Placed<String>, principals: &'r [String]) -> Request<'r> {
        let (risk, environment) = (named.step.risk_level.unwrap_or_default(), self.saga.environment.as_str());
        Request { principals, capability: capability.get_ref(), risk, environment }
    }

    /// On whose behalf a step is, as rules may name them.
    fn principals(&self, named: &Named) -> Vec<String> {
        let agent = named.step.agent_name.as_deref();
        let owner = self.saga.owner.as_deref();
        let both = [(agent, "agent:"), (owner, "user:")];
        both.iter()
            .filter_map(|(name, kind)| Some([format!("{kind}{}", (*name)?), (*name)?.to_owned()]))
            .flatten()
            .collect()
    }

    /// A step that the policy denies fails when it is reached.
    fn denied(&mut self, word: &str, named: &Named) -> String {
        let principals = self.principals(named);
        let request = named.step.capability.as_ref().map(|capability| self.request(named, capability, &principals));
        let denies =
            |policy: &&&Policy| request.as_ref().is_some_and(|request| policy.judge(request) == Decision::Deny);
        let why = self.policies.iter().find(denies).zip(request.as_ref()).map(|(policy, request)| policy.why(request));
        let capability = request.as_ref().map_or("", |request| request.capability);
        let who = principals.first().map_or("nobody in particular", String::as_str);
        let principal = principals.first().map_or("*", String::as_str);
        let reason = format!("Policy denied: {who} lacks permission for {capability}");
        let warning = Diagnostic::new(Code::Denied, named.span, format!("`{}`: {reason}", named.name));
        self.reader.warnings.push(warning.reason(why.unwrap_or_default()).help(format!(
            "allow it in the policy: `{{ principal: \"{principal}\", capability: \"{capability}\", decision: ALLOW }}`"
        )));
        self.builtin(word, "fail", [("code", json!("E1091")), ("reason", json!(reason))], named.span);
        format!("{word} => next")
    }

    /// What a step lacks, unless that is the key which could not be read.
    fn lacks(&mut self, code: Code, named: &Named, why: &str) {
        if !named.is_broken {
            self.wrong(code, named, why);
        }
    }

    /// Why a key cannot be used where it stands.
    fn wrong(&mut self, code: Code, named: &Named, why: &str) {
        let message = format!("step `{}`: {why}", named.name);
        self.reader.tables.report(Diagnostic::new(code, named.span, message));
    }

    fn span<T>(&self, value: &Placed<T>) -> Span {
        self.reader.tables.span(value.span())
    }

    fn put(&mut self, text: &str, span: Span) {
        self.writer.put(text, span);
    }

    /// `<30s>`, or nothing.
    fn limit(&mut self, seconds: Option<&Placed<f64>>) -> String {
        let Some(written) = seconds else { return String::new() };
        let seconds = *written.get_ref();
        if !POSSIBLE.contains(&seconds) {
            self.reader.tables.wrong(written.span(), format!("`{seconds}` is no number of seconds that can pass"));
            return String::new();
        }
        format!("<{}>", milliseconds(seconds))
    }
}

fn milliseconds(seconds: f64) -> Milliseconds {
    Milliseconds((seconds * 1000.0).round() as u64)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
