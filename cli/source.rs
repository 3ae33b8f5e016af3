//! `source`: the data sources of the project, what is in them, and copies of them.

use crate::args::{Global, SourceArgs, SourceCommand};
use crate::config;
use crate::fail::{Exit, Failure, coded};
use crate::out::{one_line, say, size_text};
use crate::project;
use aivm_host::sources::{SourceError, Sources, Synced};
use aivm_schema::worker::Source;
use serde_json::{Value, json};

fn failed(error: SourceError) -> Failure {
    coded(&error.to_string())
}

/// `aivm source …`.
pub fn source(global: &Global, args: &SourceArgs) -> Result<Exit, Failure> {
    let sources = config::sources()?;
    match &args.command {
        SourceCommand::Ls => list(global, &sources),
        SourceCommand::Show { name } => show(global, &sources, name),
        SourceCommand::Sync { name, dry_run } => sync(global, &sources, name, *dry_run),
    }
}

fn json_of(name: &str, source: &Source, sources: &Sources) -> Value {
    json!({
        "name": name, "about": source.about, "path": source.path, "folder": sources.folder(source),
        "filters": source.filters, "recursive": source.recursive, "read_only": source.read_only,
        "allow_external": source.allow_external,
    })
}

fn list(global: &Global, sources: &Sources) -> Result<Exit, Failure> {
    if global.json {
        let rows: Vec<Value> = sources.all.iter().map(|(name, source)| json_of(name, source, sources)).collect();
        println!("{}", json!({"v": 1, "sources": rows}));
        return Ok(Exit::SENT);
    }
    if sources.all.is_empty() {
        say("no data sources yet: in aivm.toml, [sources.docs] path = \"docs\"");
    }
    let width = sources.all.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, source) in &sources.all {
        let about = if source.about.is_empty() { String::new() } else { format!("  {}", one_line(&source.about)) };
        let filters = if source.filters.is_empty() { "*".to_owned() } else { source.filters.join(" ") };
        let deep = if source.recursive { ", with folders in it" } else { "" };
        println!("{name:<width$}  {}  {}{deep}{about}", one_line(&source.path), one_line(&filters));
    }
    Ok(Exit::SENT)
}

fn show(global: &Global, sources: &Sources, name: &str) -> Result<Exit, Failure> {
    let source = sources.get(name).map_err(failed)?;
    let (mut rows, mut bytes) = (Vec::new(), 0u64);
    sources
        .each(name, &mut |file| {
            bytes = bytes.saturating_add(file.size);
            rows.push((file.path, file.size));
            Ok(true)
        })
        .map_err(failed)?;
    if global.json {
        let files: Vec<Value> = rows.iter().map(|(path, size)| json!({"path": path, "size": size})).collect();
        println!("{}", json!({"v": 1, "source": json_of(name, source, sources), "files": files, "bytes": bytes}));
        return Ok(Exit::SENT);
    }
    for (path, size) in &rows {
        println!("{:>8}  {}", size_text(*size), one_line(path));
    }
    let plural = if rows.len() == 1 { "" } else { "s" };
    println!("{} file{plural}, {}, in {}", rows.len(), size_text(bytes), sources.folder(source).display());
    Ok(Exit::SENT)
}

fn sync(global: &Global, sources: &Sources, name: &str, dry: bool) -> Result<Exit, Failure> {
    sources.get(name).map_err(failed)?;
    // A name of a bundle may be any text.
    let folder = aivm_schema::artifact::key::component(name);
    let copy = project::state_folder().join("sources").join(folder);
    let Synced { written, removed, same, bytes } = sources.sync(name, &copy, dry).map_err(failed)?;
    if global.json {
        println!(
            "{}",
            json!({
                "v": 1, "name": name, "copy": copy, "dry_run": dry, "written": written, "removed": removed,
                "same": same, "bytes": bytes,
            })
        );
        return Ok(Exit::SENT);
    }
    for (sign, paths) in [("+", &written), ("-", &removed)] {
        for path in paths {
            println!("{sign} {}", one_line(path));
        }
    }
    let would = if dry { "would be " } else { "" };
    println!(
        "{}: {} {would}written ({}), {} {would}removed, {same} the same",
        copy.display(),
        written.len(),
        size_text(bytes),
        removed.len()
    );
    Ok(Exit::SENT)
}
