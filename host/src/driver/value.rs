//! Values: what a worker returned becomes an artifact.

use super::*;
use crate::builtin::Body;
use crate::parts::Items;
use crate::work::Maker;
use aivm_schema::artifact::ArtifactError;
use aivm_vm::action::{Answer, PartValue};

impl Driver<'_> {
    /// The machine's view of what a worker returned.
    pub(super) fn value_of(&mut self, call: &Call, returned: Returned) -> Answer {
        match returned {
            Returned::Failed { kind, error, usage } => Answer::Failed { kind, error, usage },
            Returned::Done { body, verdict, attributes, usage } => {
                answered(self.value(call, body, attributes), verdict, usage)
            }
            Returned::Made { made, verdict, usage } => answered(self.kept(made), verdict, usage),
        }
    }

    /// A worker that declares the most parts that it gives does not give more: the worst case counts on it.
    pub(super) fn counted(&self, call: &Call, most: Option<u32>, answer: Answer) -> Answer {
        let (Answer::Done { output, usage, .. }, Purpose::Step(_), Some(most)) = (&answer, call.purpose, most) else {
            return answer;
        };
        match Items::of(output, &*self.store) {
            Ok(items) if items.len() > most as usize => Answer::Failed {
                kind: EndKind::Failure,
                error: work::error("E0742", format!("it returned {} parts and declares `most = {most}`", items.len())),
                usage: *usage,
            },
            _ => answer,
        }
    }

    fn value(&mut self, call: &Call, body: Body, attributes: Vec<(String, String)>) -> Result<Artifact, PartsError> {
        let worker = self.run.module().workers.get(call.worker.index()).map_or("", |worker| worker.name.as_str());
        let maker = Maker { run: &self.around.run, worker, key: &call.key, input: &call.input };
        match body {
            Body::Parts(new) => {
                let mut values = Vec::with_capacity(new.len());
                for part in new {
                    // What is said of all holds for each, which is found by its name also without the others.
                    let name = ("part".to_owned(), part.name.clone());
                    let attributes = attributes.iter().cloned().chain([name]).collect();
                    let value = maker.make(&self.mint, part.media_type, part.payload, attributes)?;
                    self.store.put(&value);
                    self.store.hold(&value);
                    values.push(PartValue { name: part.name, value, verdict: None });
                }
                let packed = parts::pack(&values, &self.around.run, &*self.mint)?;
                self.store.put(&packed);
                Ok(packed)
            }
            // What changed nothing hands on the very same artifact.
            Body::Same if attributes.is_empty() => Ok(self.asked_with(call)),
            Body::Same => {
                let (media_type, payload) = (call.input.media_type().to_owned(), call.input.payload().to_vec());
                self.kept(maker.make(&self.mint, media_type, payload, attributes))
            }
            Body::New { media_type, payload } => self.kept(maker.make(&self.mint, media_type, payload, attributes)),
        }
    }

    /// What a call was made with; of a model with tools, what came in first.
    fn asked_with(&mut self, call: &Call) -> Artifact {
        let has_tools =
            |worker: &Prepared| matches!(&worker.definition.does, Does::Model(ask) if !ask.tools.offers.is_empty());
        let first = self.prepared(call).ok().filter(|worker| has_tools(worker));
        let first = first.and_then(|_| work::turns_of(&call.input, &*self.store).ok());
        first.map_or_else(|| call.input.clone(), |(first, _)| first)
    }

    fn kept(&self, made: Result<Artifact, ArtifactError>) -> Result<Artifact, PartsError> {
        let artifact = made?;
        self.store.put(&artifact);
        Ok(artifact)
    }
}

/// What the machine is told of a value that a worker returned.
fn answered(value: Result<Artifact, PartsError>, verdict: Option<String>, usage: Usage) -> Answer {
    match value {
        Ok(output) => Answer::Done { output, verdict, usage },
        Err(error) => Answer::Failed {
            kind: EndKind::Failure,
            error: work::error("E0719", format!("what it returned is no artifact: {error}")),
            usage,
        },
    }
}
