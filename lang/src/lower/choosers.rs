//! Who chooses in a select: the worker that the front matter names, else the configured model, else nobody.

use super::*;
use aivm_schema::module::StageKind;
use aivm_schema::worker::{Does, MockEntry, WorkerDefinition};

/// The word of the model that chooses where nobody is named.
const CHOOSE: &str = "choose";
/// The setting in which a model that chooses finds what there is to choose from.
const OPTIONS: &str = "options";
/// The word by which a chooser ends its select.
const FINISH: &str = "finish";

impl File<'_, '_> {
    /// `[stage.LABEL] chooser = "word"`.
    pub(super) fn chooser(&mut self, label: Word, id: StageId) {
        let name = self.text(label).to_owned();
        let Some(chooser) = self.front.stage.get(&name).and_then(|stage| stage.chooser.clone()) else { return };
        let span = self.key_span("stage", &name);
        match self.named_target(&chooser, span) {
            Some(Target::Worker(worker)) => {
                self.all.flow.stages[id.index()].chooser = Some(worker);
                self.declared_probe(Some(Target::Worker(worker)), span);
            }
            Some(Target::Function(_)) => self.report(
                Diagnostic::new(
                    Code::WorkerDefinition,
                    span,
                    format!("`{chooser}` is a pipeline: a chooser is a worker"),
                )
                .help("name a model, a command or a built-in that answers with one word"),
            ),
            None => {}
        }
    }

    /// The selects for which nobody was named, where a model is configured; and what all models that choose are told.
    pub(super) fn let_models_choose(&mut self) {
        for at in 0..self.stages.len() {
            let id = self.stages[at].1;
            if self.flow_stage(id).kind != StageKind::Select {
                continue;
            }
            let span = self.all.flow.places.stages[id.index()].1;
            let named = self.flow_stage(id).chooser;
            let chooser = match named {
                Some(worker) => worker,
                None if self.all.library.has_model() => match self.named_target(CHOOSE, span) {
                    Some(Target::Worker(worker)) => worker,
                    _ => continue,
                },
                None => continue,
            };
            let Worker { name, mut definition, place, .. } = self.all.flow.worker(chooser).clone();
            if matches!(&definition.does, Does::Model(ask) if !ask.tools.is_empty() || !definition.memory.is_empty()) {
                let message = format!("`{name}` chooses, and has tools or a memory: a chooser is asked for one word");
                self.report(Diagnostic::new(Code::WorkerDefinition, span, message).help("name a model without them"));
                continue;
            }
            if !matches!(definition.does, Does::Model(_)) || definition.with.contains_key(OPTIONS) {
                self.all.flow.stages[id.index()].chooser = Some(chooser);
                continue;
            }
            self.tell_options(id, &mut definition, named.is_none());
            if let Target::Worker(worker) = self.worker(&name, definition, place.1) {
                self.all.flow.stages[id.index()].chooser = Some(worker);
            }
        }
    }

    /// Says what there is to choose from. Without a model, and nobody named, each is taken once, in written order.
    fn tell_options(&self, id: StageId, definition: &mut WorkerDefinition, in_order: bool) {
        let flow = &self.all.flow;
        let names = || (0..flow.stage(id).elements.len() as u32).map(|element| flow.element_name(id, element));
        let lines = names().zip(&flow.stage(id).elements).map(|(name, element)| {
            let about = match element {
                Element::Step(step) => match flow.step(*step).target {
                    Target::Worker(worker) => flow.workers.get(worker.index()).map_or("", |w| &w.definition.about),
                    Target::Function(_) => "",
                },
                Element::Chain(_) => "",
            };
            if about.is_empty() { format!("- {name}") } else { format!("- {name}: {about}") }
        });
        let lines: Vec<String> = lines.collect();
        definition.with.insert(OPTIONS.to_owned(), lines.join("\n").into());
        if in_order && definition.mock.is_none() {
            let words = names().chain([FINISH.to_owned()]);
            definition.mock = Some(words.map(MockEntry::Verdict).collect());
        }
    }
}
