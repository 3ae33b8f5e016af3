//! The flow graph as text: one line a node, every edge with where it leads. Stable, so that tests and reviews compare it;
//! `aivm graph --format text` prints it.

use super::*;
use crate::lower::kind_word;
use aivm_schema::unit::{Milliseconds, Money, Tokens};
use std::fmt::Write;

impl Flow {
    /// The graph, function by function.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        for function in &self.functions {
            let _ = writeln!(
                out,
                "{}",
                if function.name == "out" { "program".to_owned() } else { format!("definition {}", function.name) }
            );
            match function.chain {
                Some(chain) => self.chain_text(chain, 1, &mut out),
                None => out.push_str("  passes its input on\n"),
            }
        }
        out
    }

    fn chain_text(&self, id: ChainId, depth: usize, out: &mut String) {
        for stage in &self.chain(id).stages {
            self.stage_text(*stage, depth, out);
        }
    }

    fn stage_text(&self, id: StageId, depth: usize, out: &mut String) {
        let stage = self.stage(id);
        let indent = "  ".repeat(depth);
        let _ = write!(out, "{indent}{} {}", kind_word(stage.kind), stage.key);
        self.limits_text(stage.entries, stage.deadline_ms, stage.money, stage.tokens, out);
        if let Some(most) = stage.choices {
            let _ = write!(out, " choices {most}");
        }
        if let Some(take) = stage.take {
            let _ = write!(out, " takes {take} of {}", stage.elements.len());
        }
        if let Some(chooser) = stage.chooser {
            let _ = write!(out, " chooser {}", self.worker(chooser).name);
        }
        let _ = writeln!(out, " → {}", self.dest_text(self.exit(id)));
        for element in &stage.elements {
            match element {
                Element::Step(step) => self.step_text(*step, depth + 1, out),
                Element::Chain(chain) => self.chain_text(*chain, depth + 1, out),
            }
        }
        for (at, arm) in stage.arms.iter().enumerate() {
            let word = arm.on.word(self).unwrap_or_default();
            match &arm.then {
                Then::Ends(ends) => {
                    let ends: Vec<String> = ends.iter().map(|end| self.outcome_text(id, at as u32, *end)).collect();
                    let _ = writeln!(out, "{indent}  when {word}: {}", ends.join(" | "));
                }
                Then::Chain(chain) => {
                    let _ = writeln!(out, "{indent}  when {word}:");
                    self.chain_text(*chain, depth + 2, out);
                }
            }
        }
    }

    fn step_text(&self, id: StepId, depth: usize, out: &mut String) {
        let step = self.step(id);
        let _ = write!(out, "{}{}", "  ".repeat(depth), step.name);
        match step.target {
            Target::Worker(worker) if self.worker(worker).name != step.name => {
                let _ = write!(out, " = {}", self.worker(worker).name);
            }
            Target::Function(function) => {
                let _ = write!(out, " = definition {}", self.function(function).name);
            }
            Target::Worker(_) => {}
        }
        for behaviour in &step.behaviours {
            if let Some(behaviour) = self.behaviours.get(behaviour.index()) {
                let _ = write!(out, " <{}>", behaviour.name);
            }
        }
        self.limits_text(step.visits, step.deadline_ms, step.money, step.tokens, out);
        if !step.refs.is_empty() {
            let refs: Vec<String> = step.refs.iter().map(|source| self.source_text(*source)).collect();
            let _ = write!(out, " {} {}", if step.each { "for each part of" } else { "from" }, refs.join(", "));
        }
        if let Some(undo) = step.undo {
            let _ = write!(out, " undo {}", self.target_name(undo));
        }
        let outcomes: Vec<String> =
            step.outcomes.iter().map(|outcome| self.outcome_text(step.stage, step.element, *outcome)).collect();
        let _ = write!(out, ": {}", outcomes.join(" | "));
        if !step.verdicts.is_empty() {
            let words: Vec<&str> = step.verdicts.iter().map(|word| self.word(*word)).collect();
            let _ = write!(out, " says {}", words.join(" "));
        }
        out.push('\n');
    }

    fn limits_text(
        &self,
        count: Option<Count>,
        ms: Option<u64>,
        money: Option<u64>,
        tokens: Option<u64>,
        out: &mut String,
    ) {
        if let Some(count) = count {
            let _ = write!(out, " at most {}{}", count.most, if count.written { "" } else { " (default)" });
        }
        if let Some(ms) = ms {
            let _ = write!(out, " within {}", Milliseconds(ms));
        }
        if let Some(money) = money {
            let _ = write!(out, " for {}", Money(money));
        }
        if let Some(tokens) = tokens {
            let _ = write!(out, " in {}", Tokens(tokens));
        }
    }

    pub(crate) fn source_text(&self, source: Source) -> String {
        let step = |id: StepId| {
            let step = self.step(id);
            format!("{}/{}", self.stage(step.stage).key, step.name)
        };
        let text = match source.of {
            SourceOf::Input => "in".to_owned(),
            SourceOf::StageIn(stage) => format!("{}.in", self.stage(stage).key),
            SourceOf::StageOut(stage) => format!("{}.out", self.stage(stage).key),
            SourceOf::StepIn(id) => format!("{}.in", step(id)),
            SourceOf::StepOut(id) => format!("{}.out", step(id)),
        };
        if source.wait.is_some() { format!("{text} (waits)") } else { text }
    }

    fn outcome_text(&self, stage: StageId, element: u32, outcome: Outcome) -> String {
        let word = match outcome {
            Outcome::Jump { .. } => "jump",
            outcome => outcome.word(self),
        };
        match (outcome, self.dest(stage, element, outcome)) {
            (Outcome::Retry(times), _) => format!("retry {times}"),
            (Outcome::Cancel | Outcome::Timeout, _) => word.to_owned(),
            (_, Some(dest)) => format!("{word} → {}", self.dest_text(dest)),
            (_, None) => format!("{word} → nowhere"),
        }
    }

    /// Where something leads, in words.
    pub fn dest_text(&self, dest: Dest) -> String {
        match dest {
            Dest::Element(stage, element) => format!("{}/{}", self.stage(stage).key, self.element_name(stage, element)),
            Dest::Stage(stage) => self.stage(stage).key.clone(),
            Dest::Chooser(stage) => format!("{}?", self.stage(stage).key),
            Dest::Part(stage, element) => format!("{}.{}", self.stage(stage).key, element + 1),
            Dest::Return(_) => "out".to_owned(),
        }
    }
}
