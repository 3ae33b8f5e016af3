//! Mocks of the file's own front matter that say what no step hears: such a word is a failure, and where a list has `back` or
//! `retry` for failures, nothing else tells.

use super::Checker;
use crate::diagnostic::{Code, Diagnostic};
use crate::flow::*;
use crate::front;
use crate::lower::nearest;
use crate::span::Span;
use aivm_schema::worker::split_front_matter;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// The word by which a chooser ends its select.
const FINISH: &str = "finish";

impl Checker<'_> {
    pub(super) fn mocks(&mut self) {
        let flow = self.flow;
        if flow.workers.iter().all(|worker| worker.definition.mock.is_none()) {
            return;
        }
        let heard = heard(flow);
        let deaf: Vec<(&Worker, String, &BTreeSet<&str>)> = flow
            .workers
            .iter()
            .zip(0..)
            .filter_map(|(worker, at)| Some((worker, heard.get(&WorkerId(at))?)))
            .flat_map(|(worker, heard)| {
                let said = worker.definition.mock.iter().flatten().filter_map(|entry| entry.answer().verdict);
                said.collect::<BTreeSet<String>>().into_iter().map(move |word| (worker, word, heard))
            })
            .filter(|(_, word, heard)| !heard.contains(word.as_str()))
            .collect();
        let Some((_, source)) = flow.places.files.first().filter(|_| !deaf.is_empty()) else { return };
        let Some(text) = split_front_matter(source).0 else { return };
        let base = source.find(text).unwrap_or(0) as u32;
        let read = front::read(text, base);
        for (worker, word, heard) in deaf {
            // Mocks of other files are theirs.
            let Some(place) = read.places.get(&("worker", worker.name.clone())) else { continue };
            if read.front.worker.get(&worker.name) != Some(&worker.definition) {
                continue;
            }
            let behind = source.get(place.end as usize..).unwrap_or("");
            let quoted = |quote: char| behind.find(&format!("{quote}{word}{quote}"));
            let span = quoted('"').into_iter().chain(quoted('\'')).min().map(|at| {
                let start = place.end + at as u32 + 1;
                Span::new(start, start + word.len() as u32)
            });
            let words: Vec<&str> = heard.iter().copied().collect();
            let mut diagnostic = Diagnostic::new(
                Code::DeafToMock,
                span.unwrap_or(*place),
                format!("no step that calls `{}` hears `{word}`", worker.name),
            )
            .reason(format!("what it may say is `{}`; any other word is a failure", words.join("`, `")));
            if let (Some(span), Some(name)) = (span, nearest(&word, words.iter().copied())) {
                diagnostic = diagnostic.fix(format!("did you mean `{name}`?"), vec![(span, name)]);
            }
            self.warn(diagnostic);
        }
    }
}

/// By worker: what any step that calls it understands, and any select that it chooses for.
fn heard(flow: &Flow) -> FxHashMap<WorkerId, BTreeSet<&str>> {
    let mut heard: FxHashMap<WorkerId, BTreeSet<&str>> = FxHashMap::default();
    for step in &flow.steps {
        if let Target::Worker(worker) = step.target {
            let words = heard.entry(worker).or_default();
            words.extend(step.spoken(flow));
            words.extend(step.verdicts.iter().map(|word| flow.word(*word)));
        }
    }
    for stage in &flow.stages {
        let Some(worker) = stage.chooser else { continue };
        let words = heard.entry(worker).or_default();
        words.insert(FINISH);
        words.extend(stage.elements.iter().filter_map(|element| match element {
            Element::Step(step) => Some(flow.step(*step).name.as_str()),
            Element::Chain(chain) => {
                let first = flow.chain(*chain).stages.first()?;
                flow.stage(*first).label.map(|label| flow.word(label))
            }
        }));
    }
    heard
}
