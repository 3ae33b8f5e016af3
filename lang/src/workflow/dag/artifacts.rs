//! `[artifacts.NAME]`: the files that a workflow is run for. Each becomes a call of the built-in `collect`, all of them one join behind
//! the steps, which is the part `artifacts` of the workflow's output.

use super::keys::{Artifact, Kept, Workflow};
use super::work::Work;
use crate::diagnostic::{Code, Diagnostic};
use crate::library::Library;
use crate::lower::nearest;
use crate::span::Span;
use crate::tables::Tables;
use crate::workflow::page::Writer;
use aivm_schema::worker::{Does, WorkerDefinition};
use rustc_hash::FxHashSet;
use serde_json::json;

/// The label of their join.
const ARTIFACTS: &str = "artifacts";
/// The built-in that keeps files.
const COLLECT: &str = "collect";

/// What is wrong with them.
pub(super) fn check(tables: &mut Tables, workflow: &Workflow, works: &[Option<Work>], library: &dyn Library) {
    for artifact in &workflow.artifacts {
        let name = &artifact.name;
        if let Err(reason) = library.check(&collect(&artifact.it)) {
            let span = artifact.value(tables, "path");
            tables.report(Diagnostic::new(Code::Workflow, span, format!("`path` of `[artifacts.{name}]`: {reason}")));
        }
        // What is no table, or has a path that could not be read, is told as such.
        let is_told = artifact.is_broken && (artifact.places.has("path") || artifact.places.is_empty());
        if artifact.it.path.all().is_empty() && !is_told {
            let message = format!("`[artifacts.{name}]` names no files");
            let diagnostic = Diagnostic::new(Code::Workflow, artifact.span, message);
            tables.report(diagnostic.help("say which: `path = \"dist/*.tar.gz\"`"));
        }
        let Some(from) = &artifact.it.from else { continue };
        let span = tables.span(from.span());
        if let Some(at) = workflow.steps.iter().position(|step| step.name == *from.get_ref()) {
            if works.get(at).and_then(Option::as_ref).is_some_and(|work| work.is_ephemeral) {
                let message = format!("`[artifacts.{name}]` comes from `{}`, which leaves no files", from.get_ref());
                let diagnostic = Diagnostic::new(Code::FromACopy, span, message)
                    .reason("its workspace is a copy, which is gone when it is done: only what it prints counts");
                tables.report(diagnostic.help("give the step a folder: `workspace = \"path/inside\"`"));
            }
            continue;
        }
        if workflow.hides("steps") {
            continue;
        }
        let message = format!("`[artifacts.{name}]` comes from `{}`, and no step has this name", from.get_ref());
        let diagnostic = Diagnostic::new(Code::UnknownNeed, span, message);
        let steps = workflow.steps.iter().map(|step| step.name.as_str());
        tables.report(match nearest(from.get_ref(), steps) {
            Some(near) => diagnostic.fix(format!("did you mean `{near}`?"), vec![(span, format!("{near:?}"))]),
            None => diagnostic,
        });
    }
}

/// Writes their join. `outs`: how each step's output is referred to; `needs`: the steps that each needs.
pub(super) fn write(writer: &mut Writer, workflow: &Workflow, needs: &[Vec<usize>], outs: &[String]) {
    if workflow.artifacts.is_empty() {
        return;
    }
    // Who waits for the steps that nobody needs waits for all.
    let needed: FxHashSet<usize> = needs.iter().flatten().copied().collect();
    let last = outs.iter().enumerate().filter(|(at, _)| !needed.contains(at)).map(|(_, out)| out.as_str());
    let last = last.collect::<Vec<_>>().join(", ");
    let label = writer.word(ARTIFACTS);
    writer.put(&format!("        join[{label}] <= (\n"), Span::default());
    for artifact in &workflow.artifacts {
        let word = writer.word(&artifact.name);
        writer.worker(&word, &collect(&artifact.it), artifact.span);
        let from = artifact.it.from.as_ref();
        let of = from.and_then(|from| workflow.steps.iter().position(|step| step.name == *from.get_ref()));
        let refs = match of.and_then(|at| outs.get(at)) {
            Some(out) => out,
            None => &last,
        };
        writer.put(&format!("            [{word} <= {refs}] => next\n"), artifact.span);
    }
    writer.put("        )\n", Span::default());
}

/// The worker that keeps these files.
fn collect(artifact: &Artifact) -> WorkerDefinition {
    let mut worker = WorkerDefinition::new(Does::Builtin(COLLECT.to_owned()));
    worker.about.clone_from(&artifact.description);
    worker.with.insert("files".to_owned(), json!(artifact.path.all()));
    if let Some(Kept(retention)) = artifact.retention {
        worker.with.insert("retention".to_owned(), json!(retention.to_string()));
    }
    if !artifact.required {
        worker.with.insert("required".to_owned(), json!(false));
    }
    worker
}
