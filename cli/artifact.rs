//! `artifact`: the values that runs made, from the store.

use crate::args::{ArtifactArgs, ArtifactCommand, Global};
use crate::fail::{Exit, Failure};
use crate::keys;
use crate::out::short;
use crate::store::{existing, find};
use aivm_host::store::disk::{Disk, Entry};
use aivm_schema::artifact::{Artifact, Checksum, json as artifact_json, parts};
use serde_json::json;
use std::collections::HashSet;
use std::io::IsTerminal;

/// `aivm artifact …`.
pub fn artifact(global: &Global, args: &ArtifactArgs) -> Result<Exit, Failure> {
    let disk = existing()?;
    match &args.command {
        ArtifactCommand::Ls { prefix, most } => {
            let entries = disk.list(prefix, *most).map_err(|error| crate::fail::coded(&error.to_string()))?;
            if global.json {
                let rows: Vec<_> =
                    entries.iter().map(|e| json!({"checksum": e.checksum, "key": e.key, "size": e.size})).collect();
                println!("{}", json!({"v": 1, "artifacts": rows}));
            } else {
                print!("{}", table(&disk, &entries));
            }
        }
        ArtifactCommand::Show { artifact } => {
            let artifact = find(&disk, artifact)?;
            let trust = keys::trust_text(&keys::keyring()?.verify(&artifact));
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
            match std::str::from_utf8(artifact.payload()) {
                _ if global.json => {
                    let mut object = artifact_json::to_json(&artifact);
                    if let Some(object) = object.as_object_mut() {
                        object.insert("v".into(), 1.into());
                    }
                    println!("{object}");
                }
                Ok(text) => print!("{text}"),
                Err(_) if std::io::stdout().is_terminal() => {
                    let failure =
                        format!("{} bytes of {} are nothing to read", artifact.payload().len(), artifact.media_type());
                    return Err(
                        Failure::usage("E0832", failure).help("send them to a file: aivm artifact cat … > FILE")
                    );
                }
                Err(_) => crate::out::bytes(artifact.payload()),
            }
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

/// What a person asks of artifacts, a line each, on a screen of 100 columns; the whole keys are in `--json` and `show`.
fn table(disk: &Disk, entries: &[Entry]) -> String {
    let mut out = String::new();
    let head = ["checksum", "size", "step", "run", "type", "time (UTC)"].map(str::to_owned);
    let rows = entries.iter().map(|entry| {
        let artifact = disk.find(entry.checksum).ok().flatten();
        let text = |of: &dyn Fn(&Artifact) -> String| artifact.as_ref().map(of).unwrap_or_default();
        [
            short(entry.checksum),
            size_text(entry.size),
            text(&|artifact| artifact.attribute("step").unwrap_or(artifact.role()).to_owned()),
            text(&|artifact| artifact.attribute("run").unwrap_or("").to_owned()),
            text(&|artifact| artifact.media_type().to_owned()),
            text(&|artifact| time_text(artifact.timestamp())),
        ]
    });
    for row in std::iter::once(head).chain(rows) {
        let [checksum, size, step, run, media_type, time] = row;
        let (step, run, media_type) = (cut(&step, 22), cut(&run, 15), cut(&media_type, 16));
        out.push_str(&format!("{checksum:<12}  {size:>8}  {step:<22}  {run:<15}  {media_type:<16}  {time}\n"));
    }
    out
}

/// The end of a long text tells more than its beginning: steps of one pipeline begin alike, and so do types.
pub fn cut(text: &str, most: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let over = text.chars().count().saturating_sub(most);
    if over == 0 { text } else { std::iter::once('…').chain(text.chars().skip(over + 1)).collect() }
}

/// For people: `12 B`, `48 kB`, `12 MB`.
pub fn size_text(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

/// Unix nanoseconds as `2026-07-01 09:30`; the years in cycles of 400, each beginning in March.
pub fn time_text(nanoseconds: u64) -> String {
    let minutes = nanoseconds / 60_000_000_000;
    let day = minutes / 1_440 + 719_468;
    let (cycle, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let minute = minutes % 1_440;
    format!("{:04}-{month:02}-{date:02} {:02}:{:02}", cycle * 400 + year, minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_dates_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_399, "2000-02-28 23:59"),
            (951_782_400, "2000-02-29 00:00"),
            (1_709_251_200, "2024-03-01 00:00"),
            (1_798_761_599, "2026-12-31 23:59"),
            (4_107_542_400, "2100-03-01 00:00"),
        ] {
            assert_eq!(super::time_text(seconds * 1_000_000_000), text);
        }
    }
}
