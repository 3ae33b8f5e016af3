//! Models with tools: what they called with what.

use crate::out::one_line;
use crate::runs::journal::Told;
use aivm_host::secret;
use aivm_host::store::disk::Disk;
use aivm_schema::artifact::Checksum;
use std::collections::HashMap;

/// The stages of the loop that a model with tools is: in one it is asked, in the other a tool is called.
pub const ASK: &str = "ask";
/// See [`ASK`].
pub const TOOL: &str = "tool";

/// So much is shown of the arguments of one call.
const MOST_SHOWN: usize = 60;

/// The beginning of what each tool was called with, by the number of its row.
pub fn arguments(disk: &Disk, told: &Told) -> HashMap<usize, String> {
    let mut wanted: HashMap<&str, Checksum> = HashMap::new();
    let mut arguments = HashMap::new();
    for (at, row) in told.rows.iter().enumerate().filter(|(_, row)| !row.undo) {
        let Some((stage, name)) = row.record.key.rsplit_once('/') else { continue };
        let Some((around, stage)) = stage.rsplit_once('/') else { continue };
        match (stage, row.record.artifact) {
            (ASK, Some(artifact)) => {
                wanted.insert(around, artifact);
            }
            // A pipeline has no input of its own: what the model wanted is it.
            (TOOL, _) => {
                let word = name.split('#').next().unwrap_or(name);
                let shown = wanted.get(around).and_then(|wanted| shown(disk, *wanted, word));
                arguments.extend(shown.map(|shown| (at, shown)));
            }
            _ => {}
        }
    }
    arguments
}

fn shown(disk: &Disk, wanted: Checksum, word: &str) -> Option<String> {
    let wanted = disk.find(wanted).ok()??;
    if wanted.attribute("tool") != Some(word) {
        return None;
    }
    let text = String::from_utf8_lossy(wanted.payload());
    // Before it is cut: half a secret is found by nobody.
    let line = one_line(&secret::text(&text));
    Some(match line.char_indices().nth(MOST_SHOWN) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or("")),
        None => line,
    })
}
