//! `sys.archive.zip`: files beneath the workspace, packed into one. Taken back as what `io.fs.write_file` writes.

use super::fs::{beneath_workspace, destination};
use super::{Asked, answer, capability};
use crate::builtin::beneath::{self, Found, Workspace, components};
use crate::builtin::files::Files;
use crate::builtin::input::Call;
use crate::builtin::undo::{self, Change};
use crate::builtin::{Builtin, Effect, Failure, MOST_BYTES, Output};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Cursor, Write};
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, ZipWriter};

/// The most files that one archive has.
const MOST_FILES: usize = 10_000;

pub(in crate::builtin) const ZIP: Builtin = capability("sys.archive.zip", Effect::Idempotent, zip);

fn zip(call: &Call<'_>) -> Result<Output, Failure> {
    let asked = Asked::of(call, "source")?;
    let to = components(&destination(call, &asked)?)?.join("/");
    let mut packed = Packed { files: BTreeMap::new(), bytes: 0, to: &to };
    for source in sources(&asked)? {
        packed.add_all(call, &beneath_workspace(call, source)?)?;
    }
    let files = packed.files.len();
    if files == 0 {
        return Err(Failure::Missing("there are no files in what is to be packed".to_owned()));
    }
    let bytes = archive(call, packed.files)?;
    let replace = asked.flag("overwrite", false)?;
    undo::perform(call, &[Change::Write { path: &to, bytes: &bytes, replace, append: false }])?;
    answer(&json!({ "success": true, "path": to, "files": files, "size": bytes.len() }))
}

/// A path, or several.
fn sources(asked: &Asked) -> Result<Vec<&str>, Failure> {
    let wrong = || Failure::Unreadable("`source` is neither a path nor a list of paths".to_owned());
    match asked.value("source")? {
        Value::String(path) => Ok(vec![path]),
        Value::Array(paths) => paths.iter().map(|path| path.as_str().ok_or_else(wrong)).collect(),
        _ => Err(wrong()),
    }
}

/// What is packed, by its path in the workspace, which is its name in the archive too.
struct Packed<'t> {
    files: BTreeMap<String, Vec<u8>>,
    bytes: usize,
    /// The archive itself, which may stand in a folder that is packed.
    to: &'t str,
}

impl Packed<'_> {
    fn add_all(&mut self, call: &Call<'_>, path: &str) -> Result<(), Failure> {
        let path = components(path)?.join("/");
        match Workspace::open(call.context.workspace)?.find(&path)? {
            Found::File(file) => self.add(&path, file),
            Found::Folder(folder) => {
                let mut add = |_: &str, whole: &str, file: File| self.add(whole, file);
                Files::new(call, None, MOST_FILES).visit(&folder, "", &path, 0, &mut add)
            }
        }
    }

    fn add(&mut self, path: &str, file: File) -> Result<(), Failure> {
        if path == self.to || self.files.contains_key(path) {
            return Ok(());
        }
        // Elsewhere that is a path, which leads out of the folder that somebody unpacks it in.
        if path.contains('\\') || path.get(1..2) == Some(":") {
            let reason = "has a `\\`, or a `:` behind its first letter: other systems read a path in that".to_owned();
            return Err(Failure::Path { path: path.to_owned(), reason });
        }
        if self.files.len() == MOST_FILES {
            let limit = format!("{MOST_FILES} files");
            return Err(Failure::Limit { what: format!("packing `{path}`"), limit });
        }
        let bytes = beneath::read(file, path, MOST_BYTES - self.bytes)?;
        self.bytes += bytes.len();
        self.files.insert(path.to_owned(), bytes);
        Ok(())
    }
}

/// The archive; the same files give the same bytes, so no times are in it.
fn archive(call: &Call<'_>, files: BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let failed = |error: ZipError| Failure::Rejected(format!("the files cannot be packed: {error}"));
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (path, bytes) in files {
        call.stop()?;
        archive.start_file(path, options).map_err(failed)?;
        archive.write_all(&bytes).map_err(|error| failed(error.into()))?;
    }
    Ok(archive.finish().map_err(failed)?.into_inner())
}
