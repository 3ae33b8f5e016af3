//! What a call is shown of its data sources: each file is an artifact of its run, and so is the list of them, which the answer names.
//! Who reads the run later sees what the call saw, whatever has become of the files.

use super::{Prepared, error};
use crate::limits::PER_TOKEN;
use crate::mint::Mint;
use crate::sources::{Bound, Seen, Sources};
use crate::store::Store;
use aivm_schema::artifact::{Artifact, Draft, parts};
use aivm_schema::unit::Tokens;
use aivm_schema::worker::Does;
use aivm_vm::StepKey;
use aivm_vm::action::CallError;

/// The attribute of an answer: the checksum of the list of what was shown.
pub const SOURCES: &str = "sources";

/// A model is shown so many bytes of text of all its sources, and so many files.
const MODEL: Bound = Bound { files: 200, bytes: 256 << 10, text: true, strict: false };
/// A command is given all, or fails.
const COMMAND: Bound = Bound { files: 10_000, bytes: 64 << 20, text: false, strict: true };
/// So many of those that are left out are named.
const MOST_NAMED: usize = 20;

/// What a call is shown.
#[derive(Clone, Debug)]
pub struct Saw {
    /// All of it, as one value.
    pub list: Artifact,
    /// `docs/a.md` and the file.
    pub files: Vec<(String, Artifact)>,
    /// What is left out, for who reads the others.
    pub left: Option<String>,
}

/// Reads what a worker is shown, and keeps it; none: it has no sources.
pub fn see(
    worker: &Prepared,
    key: &StepKey,
    sources: &Sources,
    run: &str,
    (store, mint): (&dyn Store, &Mint),
) -> Result<Option<Saw>, CallError> {
    let names = &worker.definition.sources;
    if names.is_empty() {
        return Ok(None);
    }
    let bound = match &worker.definition.does {
        Does::Model(ask) => {
            // Half of the room that what flows has.
            let room = |Tokens(most): Tokens| usize::try_from(most.saturating_mul(PER_TOKEN) / 2).unwrap_or(usize::MAX);
            Bound { bytes: MODEL.bytes.min(ask.context.map_or(usize::MAX, room)), ..MODEL }
        }
        _ => COMMAND,
    };
    let coded = |reason: &dyn std::fmt::Display| {
        let text = reason.to_string();
        let (code, message) = text.split_once(": ").unwrap_or(("E0842", &text));
        error(code, message)
    };
    let Seen { files, left } = sources.seen(names, bound).map_err(|reason| coded(&reason))?;
    let made = |name: &str, media_type: &str, payload: Vec<u8>| {
        let mut draft = Draft {
            media_type: media_type.to_owned(),
            origin: name.split('/').next().unwrap_or_default().to_owned(),
            role: "source".to_owned(),
            scope: "run".to_owned(),
            attributes: Vec::new(),
            payload,
        };
        draft.set("run", run);
        draft.set("step", key.text());
        draft.set("path", name);
        let artifact = mint.seal(draft).map_err(|reason| coded(&reason))?;
        store.put(&artifact);
        Ok(artifact)
    };
    let mut shown = Vec::with_capacity(files.len());
    for file in files {
        // What is in a file of secrets is not passed on.
        let payload = crate::secret::bytes(file.payload);
        shown.push((file.name.clone(), made(&file.name, file.media_type, payload)?));
    }
    let part = |(name, file): &(String, Artifact)| parts::Part {
        name: name.clone(),
        artifact: file.checksum(),
        verdict: String::new(),
    };
    let list = parts::encode(&shown.iter().map(part).collect::<Vec<_>>());
    let list = made(&names.join(" "), parts::MEDIA_TYPE, list)?;
    Ok(Some(Saw { list, files: shown, left: told(&left) }))
}

/// What is left out, in a line.
fn told(left: &[(String, u64)]) -> Option<String> {
    if left.is_empty() {
        return None;
    }
    let named: Vec<String> =
        left.iter().take(MOST_NAMED).map(|(name, size)| format!("{name} ({size} bytes)")).collect();
    let more = left.len().saturating_sub(MOST_NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    Some(format!("{} files of the sources are left out here: {}{more}", left.len(), named.join(", ")))
}
