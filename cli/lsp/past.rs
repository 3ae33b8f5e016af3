//! What the last run of a program left of a step, as `aivm show` tells it.

use crate::artifact::cut;
use crate::out::one_line;
use crate::project;
use crate::runs::journal::{self, Row, Told};
use aivm_host::store::disk::Disk;
use std::path::{Path, PathBuf};

/// So many runs of the store are looked at: a cursor that rests does not wait for more.
const RUNS: usize = 20;
/// So many calls of the step are shown, the last.
const CALLS: usize = 3;
/// The first words of a value.
const PREVIEW: usize = 60;

/// The last calls of a step, by its static key, in the last run of a file that made one. In Markdown.
pub fn of_step(file: &str, step: &str) -> Option<String> {
    let disk = Disk::existing(&folder(file)?).ok()?;
    let name = Path::new(file).file_name()?;
    let runs = disk.runs("", RUNS).ok()?;
    let of_file = runs.into_iter().find(|run| Path::new(&run.program).file_name() == Some(name))?;
    let told = journal::tell(&disk, &of_file.id).ok()?;
    // A definition's name stands before the key, and labels are unique in a file.
    let step = step.rsplit(": ").next()?;
    let calls: Vec<&Row> = told.rows.iter().filter(|row| row.called && !row.undo && is_of(&told, row, step)).collect();
    let shown = calls.len().saturating_sub(CALLS);
    let lines: Vec<String> = calls.get(shown..)?.iter().map(|row| line(&disk, row)).collect();
    (!lines.is_empty()).then(|| format!("\n\nIn run `{}` it came to:\n\n{}", told.row.id, lines.join("\n")))
}

/// The state of the project that a file is in.
fn folder(file: &str) -> Option<PathBuf> {
    if std::env::var_os("AIVM_STATE").is_some_and(|folder| !folder.is_empty()) {
        return Some(project::state_folder());
    }
    project::nearest(Path::new(file).parent()?, ".aivm").map(|root| root.join(".aivm"))
}

fn is_of(told: &Told, row: &Row, key: &str) -> bool {
    let module = told.module();
    let step = row.step.and_then(|id| module.steps.get(id.index()));
    let stage = step.and_then(|step| module.stages.get(step.stage.index()));
    step.zip(stage).is_some_and(|(step, stage)| key == format!("{}/{}", stage.key, step.name))
}

/// `- **next** in 1.2s: the first words of what it returned`.
fn line(disk: &Disk, row: &Row) -> String {
    let record = &row.record;
    let mut line = format!("- **{}** in {:.1}s", one_line(&record.outcome), record.ms / 1_000.0);
    if record.cost_usd > 0.0 {
        line.push_str(&format!(", ${:.4}", record.cost_usd));
    }
    if let Some(error) = &record.error {
        line.push_str(&format!(": {}", cut(&error.message, PREVIEW)));
    } else if let Some(artifact) = record.artifact.and_then(|sum| disk.find(sum).ok().flatten()) {
        let text = std::str::from_utf8(artifact.payload()).unwrap_or_default();
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        if !first.is_empty() {
            let words: String = one_line(first).chars().take(PREVIEW).filter(|c| *c != '`').collect();
            line.push_str(&format!(": `{words}`"));
        }
    }
    line
}
