//! `artifact`: the values that runs made, from the store.

use crate::args::{ArtifactArgs, ArtifactCommand, Global};
use crate::fail::{Exit, Failure};
use crate::keys;
use crate::store::{find, open};
use aivm_host::store::Store;
use aivm_host::store::disk::Disk;
use aivm_schema::artifact::{Artifact, Checksum, json as artifact_json, parts};
use aivm_schema::keys::Trust;
use serde_json::json;
use std::collections::HashSet;

/// `aivm artifact …`.
pub fn artifact(global: &Global, args: &ArtifactArgs) -> Result<Exit, Failure> {
    let disk = open()?;
    match &args.command {
        ArtifactCommand::Ls { prefix, most } => {
            let entries = disk.list(prefix, *most).map_err(|error| crate::fail::coded(&error.to_string()))?;
            if global.json {
                let rows: Vec<_> =
                    entries.iter().map(|e| json!({"checksum": e.checksum, "key": e.key, "size": e.size})).collect();
                println!("{}", json!({"v": 1, "artifacts": rows}));
            } else {
                for entry in entries {
                    println!("{}  {:>9}  {}", short(entry.checksum), entry.size, entry.key);
                }
            }
        }
        ArtifactCommand::Show { artifact } => {
            let artifact = find(&disk, artifact)?;
            let trust = match keys::keyring()?.verify(&artifact) {
                Trust::Unsigned => "unsigned".to_owned(),
                Trust::Trusted(name) => format!("signed by {name}"),
                Trust::Unknown(key) => format!("signed by an unknown key {key}"),
                Trust::Invalid => "the signature is INVALID".to_owned(),
            };
            let mut object = artifact_json::to_json(&artifact);
            if let Some(object) = object.as_object_mut() {
                object.insert("v".into(), 1.into());
                object.insert("trust".into(), trust.into());
                object.insert("digest".into(), artifact.content_digest().to_string().into());
            }
            println!("{}", serde_json::to_string_pretty(&object).unwrap_or_default());
        }
        ArtifactCommand::Cat { artifact } => {
            let artifact = find(&disk, artifact)?;
            crate::out::bytes(artifact.payload());
        }
        ArtifactCommand::Lineage { artifact } => {
            let artifact = find(&disk, artifact)?;
            let mut rows = Vec::new();
            trace(&disk, &artifact, &mut rows);
            if global.json {
                println!("{}", json!({"v": 1, "lineage": rows}));
            } else {
                for row in rows {
                    let text = |key: &str| row.get(key).and_then(|value| value.as_str()).unwrap_or("").to_owned();
                    let depth = row.get("depth").and_then(serde_json::Value::as_u64).unwrap_or(0) as usize;
                    let checksum: String = text("checksum").chars().take(12).collect();
                    println!("{}{checksum}  {}  {}", "  ".repeat(depth), text("step"), text("type"));
                }
            }
        }
    }
    Ok(Exit::SENT)
}

/// The artifact and all that it was made of, each once, depth first; the work list is ours, lineages are long.
fn trace(disk: &Disk, artifact: &Artifact, rows: &mut Vec<serde_json::Value>) {
    let mut seen = HashSet::new();
    let mut work = vec![(artifact.clone(), 0usize)];
    while let Some((artifact, depth)) = work.pop() {
        if !seen.insert(artifact.checksum()) {
            continue;
        }
        let step = artifact.attribute("step").unwrap_or(artifact.role());
        rows.push(
            json!({"checksum": artifact.checksum(), "step": step, "type": artifact.media_type(), "depth": depth}),
        );
        let inputs =
            artifact.attribute("inputs").unwrap_or("").split(' ').filter_map(|text| text.parse::<Checksum>().ok());
        let parts = match artifact.media_type() {
            parts::MEDIA_TYPE => parts::decode(artifact.payload()).unwrap_or_default(),
            _ => Vec::new(),
        };
        let parents: Vec<Checksum> = inputs.chain(parts.into_iter().map(|part| part.artifact)).collect();
        for parent in parents.into_iter().rev().filter_map(|checksum| disk.get(checksum)) {
            work.push((parent, (depth + 1).min(40)));
        }
    }
}

fn short(checksum: Checksum) -> String {
    checksum.to_string().chars().take(12).collect()
}
