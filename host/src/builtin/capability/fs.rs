//! `io.fs.…`: files beneath the workspace. What they change is taken back exactly, as what `save` and `move` change.

use super::{Asked, answer, capability};
use crate::builtin::beneath::{self, Found, Workspace, components};
use crate::builtin::input::Call;
use crate::builtin::undo::{self, Change};
use crate::builtin::{Builtin, Effect, Failure, MOST_BYTES, Output};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs::File;

/// The most names that one call lists.
const MOST_LISTED: usize = 10_000;

pub(in crate::builtin) const READ: Builtin = capability("io.fs.read_file", Effect::Read, read);
pub(in crate::builtin) const HASH: Builtin = capability("io.fs.hash_file", Effect::Read, hash);
pub(in crate::builtin) const EXISTS: Builtin = capability("io.fs.exists", Effect::Read, exists);
pub(in crate::builtin) const LIST: Builtin = capability("io.fs.list_dir", Effect::Read, list);
pub(in crate::builtin) const WRITE: Builtin = capability("io.fs.write_file", Effect::Idempotent, write);
pub(in crate::builtin) const WRITE_BYTES: Builtin = capability("io.fs.write_bytes", Effect::Idempotent, write_bytes);
pub(in crate::builtin) const MAKE: Builtin = capability("io.fs.make_dir", Effect::Idempotent, make);
pub(in crate::builtin) const DELETE: Builtin = capability("io.fs.delete", Effect::Idempotent, delete);
pub(in crate::builtin) const MOVE: Builtin = capability("io.fs.move", Effect::Idempotent, r#move);
pub(in crate::builtin) const COPY: Builtin = capability("io.fs.copy", Effect::Idempotent, copy);

/// A path beneath the workspace. One that begins with the workspace's own is the same path; any other absolute one is refused.
pub(super) fn beneath_workspace(call: &Call<'_>, path: &str) -> Result<String, Failure> {
    if !path.starts_with('/') {
        components(path)?;
        return Ok(path.to_owned());
    }
    let workspace = call.context.workspace;
    // Neither is looked up on the disk: a link on the way is refused when the path is opened.
    let whole = std::path::absolute(workspace).unwrap_or_else(|_| workspace.to_owned());
    let inside = std::path::Path::new(path).strip_prefix(&whole).ok().and_then(|inside| inside.to_str());
    let Some(inside) = inside else {
        return Err(Failure::Path {
            path: path.to_owned(),
            reason: format!(
                "lies outside of the workspace, which is {}: name a path within it, or run with `--workspace FOLDER`",
                whole.display()
            ),
        });
    };
    components(inside)?;
    Ok(inside.to_owned())
}

fn named(call: &Call<'_>, asked: &Asked, input: &str) -> Result<String, Failure> {
    beneath_workspace(call, asked.text(input)?)
}

/// A file that is there.
fn open(call: &Call<'_>, path: &str) -> Result<File, Failure> {
    match Workspace::open(call.context.workspace)?.find(path)? {
        Found::File(file) => Ok(file),
        Found::Folder(_) => Err(Failure::Path { path: path.to_owned(), reason: "is a folder: name a file".to_owned() }),
    }
}

/// Does something have this path?
fn is_there(call: &Call<'_>, path: &str) -> Result<Option<Found>, Failure> {
    match Workspace::open(call.context.workspace)?.find(path) {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Missing(_)) => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn read(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = named(call, &asked, "path")?;
    utf8(&asked)?;
    let bytes = beneath::read(open(call, &path)?, &path, MOST_BYTES)?;
    let content = crate::builtin::input::read_text(&bytes)?;
    answer(&json!({ "success": true, "path": path, "content": content, "size": bytes.len() }))
}

/// All text is UTF-8 here.
fn utf8(asked: &Asked) -> Result<(), Failure> {
    match asked.maybe("encoding")?.map(|encoding| encoding.to_ascii_lowercase().replace('-', "")) {
        None => Ok(()),
        Some(encoding) if matches!(encoding.as_str(), "utf8" | "ascii") => Ok(()),
        Some(encoding) => Err(Failure::Unreadable(format!("`encoding` is `{encoding}`: text is UTF-8 here"))),
    }
}

fn hash(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = named(call, &asked, "path")?;
    let bytes = beneath::read(open(call, &path)?, &path, MOST_BYTES)?;
    let algorithm = asked.maybe("algorithm")?.unwrap_or("sha256");
    let hash = match algorithm {
        "sha256" => Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
        "blake3" => blake3::hash(&bytes).to_hex().to_string(),
        other => return Err(Failure::Unreadable(format!("`algorithm` is `{other}`: it can be `sha256` or `blake3`"))),
    };
    answer(&json!({ "success": true, "path": path, "hash": hash, "algorithm": algorithm }))
}

fn exists(call: &Call<'_>) -> Result<Output, Failure> {
    let path = named(call, &Asked::of(call, "path")?, "path")?;
    let found = is_there(call, &path)?;
    let kind = found.as_ref().map(|found| if matches!(found, Found::File(_)) { "file" } else { "folder" });
    answer(&json!({ "success": true, "path": path, "exists": found.is_some(), "kind": kind }))
}

fn list(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = beneath_workspace(call, asked.maybe("path")?.unwrap_or("."))?;
    let Found::Folder(folder) = Workspace::open(call.context.workspace)?.find(&path)? else {
        return Err(Failure::Path { path, reason: "is a file: name a folder".to_owned() });
    };
    let entries = beneath::names(&folder, &path, MOST_LISTED)?;
    answer(&json!({ "success": true, "path": path, "count": entries.len(), "entries": entries }))
}

fn write(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    utf8(&asked)?;
    write_these(call, &asked, asked.text("content")?.as_bytes())
}

fn write_bytes(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let bytes = STANDARD.decode(asked.text("content")?.trim());
    let bytes = bytes.map_err(|error| Failure::Unreadable(format!("`content` is no base64: {error}")))?;
    write_these(call, &asked, &bytes)
}

fn write_these(call: &Call<'_>, asked: &Asked, bytes: &[u8]) -> Result<Output, Failure> {
    let path = named(call, asked, "path")?;
    if !asked.flag("create_dirs", false)? {
        folder_above(call, &path, "create_dirs")?;
    }
    undo::perform(call, &[Change::Write { path: &path, bytes, replace: true, append: false }])?;
    answer(&json!({ "success": true, "path": path, "size": bytes.len() }))
}

/// The folder above is there, unless it may be made.
fn folder_above(call: &Call<'_>, path: &str, unless: &str) -> Result<(), Failure> {
    match Workspace::open(call.context.workspace)?.missing_folders(path)?.first() {
        None => Ok(()),
        Some(missing) => Err(Failure::Missing(format!(
            "there is no folder `{missing}` in the workspace: make it first, or say `{unless}: true`"
        ))),
    }
}

fn make(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = named(call, &asked, "path")?;
    if !asked.flag("parents", true)? {
        folder_above(call, &path, "parents")?;
    }
    // Called again after it was interrupted, it finds its own work: that is no folder of somebody else's.
    let stood = !undo::is_done(call)? && matches!(is_there(call, &path)?, Some(Found::Folder(_)));
    if stood && !asked.flag("exist_ok", true)? {
        return Err(Failure::Path { path, reason: "is there already, and `exist_ok` is false".to_owned() });
    }
    undo::perform(call, &[Change::Folder { path: &path }])?;
    answer(&json!({ "success": true, "path": path, "created": !stood }))
}

fn delete(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "path")?;
    let path = named(call, &asked, "path")?;
    undo::perform(call, &[Change::Remove { path: &path, deep: asked.flag("recursive", false)? }])?;
    answer(&json!({ "success": true, "path": path, "deleted": true }))
}

/// Guides call it `dest`, too.
pub(super) fn destination(call: &Call<'_>, asked: &Asked) -> Result<String, Failure> {
    let input = if asked.maybe("dest")?.is_some() { "dest" } else { "destination" };
    named(call, asked, input)
}

fn r#move(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "source")?;
    let (from, to) = (named(call, &asked, "source")?, destination(call, &asked)?);
    undo::perform(call, &[Change::Move { from: &from, to: &to, replace: asked.flag("overwrite", false)? }])?;
    answer(&json!({ "success": true, "source": from, "destination": to }))
}

fn copy(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "source")?;
    let (from, to) = (named(call, &asked, "source")?, destination(call, &asked)?);
    let bytes = beneath::read(open(call, &from)?, &from, MOST_BYTES)?;
    let replace = asked.flag("overwrite", false)?;
    undo::perform(call, &[Change::Write { path: &to, bytes: &bytes, replace, append: false }])?;
    answer(&json!({ "success": true, "source": from, "destination": to, "size": bytes.len() }))
}
