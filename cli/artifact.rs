//! `artifact`: the values of the store, wherever that is: what runs made, and what was put there.

mod diff;
mod export;
mod lineage;
mod verify;

use crate::args::{ArtifactArgs, ArtifactCommand, Chosen, Global, PutArgs};
use crate::fail::{Exit, Failure, coded};
use crate::keys;
use crate::out::{say, short, size_text};
use crate::store::{find, values};
use aivm_host::mint::{Clock, Mint, SystemClock};
use aivm_host::secret;
use aivm_host::store::StoreError;
use aivm_host::store::values::{Entry, Selection, Values};
use aivm_schema::artifact::{Artifact, Checksum, json as artifact_json, key};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::io::IsTerminal;

/// `aivm artifact …`.
pub fn artifact(global: &Global, args: &ArtifactArgs) -> Result<Exit, Failure> {
    match &args.command {
        ArtifactCommand::Ls { chosen, most, after } => list(global, &*values()?, chosen, *most, after),
        ArtifactCommand::Show { artifact } => {
            let artifact = find(&*values()?, artifact)?;
            let mut object = with_version(&artifact);
            if let Some(object) = object.as_object_mut() {
                let trust = keys::trust_text(&keys::keyring()?.verify(&artifact));
                object.insert("trust".into(), trust.into());
                object.insert("digest".into(), artifact.content_digest().to_string().into());
            }
            println!("{}", serde_json::to_string_pretty(&object).unwrap_or_default());
            Ok(Exit::SENT)
        }
        ArtifactCommand::Cat { artifact } => cat(global, &find(&*values()?, artifact)?),
        ArtifactCommand::Verify { chosen } => verify::verify(global, &*values()?, chosen),
        ArtifactCommand::Lineage(args) => lineage::lineage(global, &*values()?, args),
        ArtifactCommand::Diff { artifact, other } => diff::diff(global, &*values()?, [artifact, other]),
        ArtifactCommand::Put(args) => put(global, args),
        ArtifactCommand::Export(args) => export::export(global, &*values()?, args),
    }
}

/// As JSON, in the envelope of all that is printed so.
fn with_version(artifact: &Artifact) -> Value {
    let mut object = artifact_json::to_json(artifact);
    if let Some(object) = object.as_object_mut() {
        object.insert("v".into(), 1.into());
    }
    object
}

fn failed(error: StoreError) -> Failure {
    coded(&error.to_string())
}

/// A value that is chosen, once, and the runs that keep it.
struct Shown {
    entry: Entry,
    runs: Vec<String>,
}

/// Walks through the values that are chosen, each once: those whose checksums begin as is said, else in order of their keys.
fn each(
    values: &dyn Values,
    chosen: &Chosen,
    after: &str,
    mut hear: impl FnMut(Shown) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let now = SystemClock.now();
    let since = chosen.since.map_or(0, |since| now.saturating_sub(since.0.saturating_mul(1_000_000)));
    let Chosen { prefix, origin, role, scope, media_type, run, .. } = chosen.clone();
    let selection = Selection { prefix, origin, role, scope, media_type, run, since, before: None };
    let mut heard = HashSet::new();
    if after.is_empty() && !chosen.prefix.is_empty() {
        let whole = Selection { prefix: String::new(), run: None, ..selection.clone() };
        for entry in values.starting(&chosen.prefix, usize::MAX).map_err(failed)? {
            let runs: Vec<String> = entry.run.clone().into_iter().collect();
            let asked = |run: &String| runs.iter().any(|name| name.starts_with(run));
            if whole.has(&entry) && chosen.run.as_ref().is_none_or(asked) {
                heard.insert(entry.checksum);
                if !hear(Shown { entry, runs })? {
                    return Ok(());
                }
            }
        }
    }
    let mut last: Option<Shown> = None;
    for entry in selection.of(values, after) {
        let entry = entry.map_err(failed)?;
        match &mut last {
            _ if heard.contains(&entry.checksum) => {}
            Some(last) if last.entry.checksum == entry.checksum => last.runs.extend(entry.run),
            _ => {
                let runs = entry.run.clone().into_iter().collect();
                if let Some(before) = last.replace(Shown { entry, runs })
                    && !hear(before)?
                {
                    return Ok(());
                }
            }
        }
    }
    last.map_or(Ok(true), &mut hear).map(drop)
}

/// The values that are chosen, refused when there are none though some were asked for.
fn some(chosen: &Chosen, count: usize) -> Result<(), Failure> {
    match count == 0 && !chosen.prefix.is_empty() {
        true => Err(Failure::usage("E0830", format!("no artifact begins with {}", chosen.prefix))
            .help("list them: aivm artifact ls")),
        false => Ok(()),
    }
}

/// `aivm artifact ls`.
fn list(global: &Global, values: &dyn Values, chosen: &Chosen, most: usize, after: &str) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    let mut more = false;
    each(values, chosen, after, |shown| {
        // Those of one key are not parted: what comes next is told by the last one.
        more = rows.len() >= most && rows.last().is_none_or(|last: &Shown| last.entry.key != shown.entry.key);
        if !more {
            rows.push(shown);
        }
        Ok(!more)
    })?;
    let next = more.then(|| rows.last().map(|last| last.entry.key.clone())).flatten();
    if global.json {
        let row = |Shown { entry, runs }: &Shown| json!({"checksum": entry.checksum, "key": entry.key, "size": entry.size, "runs": runs});
        println!("{}", json!({"v": 1, "artifacts": rows.iter().map(row).collect::<Vec<_>>(), "next": next}));
        return Ok(Exit::SENT);
    }
    print!("{}", table(&rows));
    if let Some(next) = next {
        say(&format!("more: --most N, or --after {next}"));
    }
    Ok(Exit::SENT)
}

/// What a person asks of values, a line each, on a screen of 100 columns; nothing is read but their keys, which `--json` has whole.
fn table(rows: &[Shown]) -> String {
    let mut out = String::new();
    let head = ["checksum", "size", "origin", "role/scope", "run", "type", "time (UTC)"].map(str::to_owned);
    let rows = rows.iter().map(|Shown { entry, runs }| {
        let place = key::decode(&entry.key);
        let text = |of: &dyn Fn(&key::Key) -> String| place.as_ref().map(of).unwrap_or_default();
        let more = if runs.len() > 1 { "+" } else { "" };
        [
            short(entry.checksum),
            size_text(entry.size),
            text(&|place| written(&place.origin)),
            text(&|place| format!("{}/{}", written(&place.role), written(&place.scope))),
            runs.first().map(|run| format!("{run}{more}")).unwrap_or_default(),
            text(&|place| written(&place.media_type)),
            text(&|place| time_text(place.timestamp)),
        ]
    });
    for row in std::iter::once(head).chain(rows) {
        let [checksum, size, origin, seen, run, media_type, time] = row;
        let (origin, seen, run) = (cut(&origin, 13), cut(&seen, 12), cut(&run, 16));
        let media_type = cut(&media_type, 12);
        out.push_str(&format!(
            "{checksum:<12}  {size:>7}  {origin:<13}  {seen:<12}  {run:<16}  {media_type:<12}  {time}\n"
        ));
    }
    out
}

fn written(component: &key::Component) -> String {
    match component {
        key::Component::Whole(text) => text.clone(),
        key::Component::Cut(start) => format!("{start}…"),
    }
}

/// `aivm artifact cat`. A payload is in memory once: it is shown from where the artifact holds it.
fn cat(global: &Global, artifact: &Artifact) -> Result<Exit, Failure> {
    match std::str::from_utf8(artifact.payload()) {
        _ if global.json => println!("{}", with_version(artifact)),
        Ok(text) if std::io::stdout().is_terminal() => print!("{text}"),
        Ok(text) => crate::out::bytes(secret::text(text).as_bytes()),
        Err(_) if std::io::stdout().is_terminal() => {
            let failure =
                format!("{} bytes of {} are nothing to read", artifact.payload().len(), artifact.media_type());
            return Err(Failure::usage("E0832", failure).help("send them to a file: aivm artifact cat … > FILE"));
        }
        Err(_) => crate::out::bytes(artifact.payload()),
    }
    Ok(Exit::SENT)
}

/// `aivm artifact put`.
fn put(global: &Global, args: &PutArgs) -> Result<Exit, Failure> {
    let guessed = if args.file == "-" { "text/plain" } else { crate::input::media_type_of(&args.file) };
    let media_type = args.media_type.as_deref().unwrap_or(guessed);
    crate::secret::ready()?;
    let mut draft = crate::input::drafted(crate::project::read(&args.file)?, media_type)?;
    draft.origin.clone_from(&args.origin);
    draft.role.clone_from(&args.role);
    draft.scope.clone_from(&args.scope);
    for attribute in &args.attribute {
        let named = attribute.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty());
        let Some((name, value)) = named else {
            let failure = Failure::usage("E0834", format!("`--attribute {attribute}` is not KEY=VALUE"));
            return Err(failure.help("for example --attribute topic=weather"));
        };
        draft.attributes.push((name.to_owned(), value.to_owned()));
    }
    let wrong = |error: aivm_schema::artifact::ArtifactError| coded(&error.to_string());
    draft.check_unreserved().map_err(wrong)?;
    let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    let artifact = mint.seal(draft).map_err(wrong)?;
    crate::store::open()?.put(&artifact).map_err(failed)?;
    match global.json {
        true => {
            let key = key::encode(&artifact, key::Form::Binary);
            println!("{}", json!({"v": 1, "checksum": artifact.checksum(), "key": key}));
        }
        false => println!("{}", artifact.checksum()),
    }
    Ok(Exit::SENT)
}

/// Values that are named, and are here and whole.
fn get(values: &dyn Values, checksum: Checksum) -> Option<Artifact> {
    values.find(checksum).ok().flatten()
}
/// The end of a long text tells more than its beginning: steps of one pipeline begin alike, and so do types.
pub fn cut(text: &str, most: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let over = text.chars().count().saturating_sub(most);
    if over == 0 { text } else { std::iter::once('…').chain(text.chars().skip(over + 1)).collect() }
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
