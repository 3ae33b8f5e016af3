//! `compile`, `disasm`, `asm`: between source, module and assembly text.

use crate::args::{FileArgs, Global, OutArgs, Written};
use crate::fail::{Exit, Failure};
use crate::{load, module, project};
use aivm_schema::artifact::ContentDigest;
use aivm_schema::module::{Debug, Module, assemble, disassemble, drafts};
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

/// `aivm compile FILE.aivm`.
pub fn compile(global: &Global, args: &OutArgs) -> Result<Exit, Failure> {
    let source = project::read_source(&args.file, &args.written)?;
    let compiled = module::compile_aloud(&source, global.json)?;
    let verified = module::verified(&args.file, compiled.module)?;
    let debug = (!args.strip).then_some(&compiled.debug);
    write(global, args, verified.module(), debug)
}

/// `aivm asm FILE`.
pub fn asm(global: &Global, args: &OutArgs) -> Result<Exit, Failure> {
    project::nothing_over(&args.file, &args.written)?;
    let source = project::read_source(&args.file, &Written::default())?;
    let module = assemble(&source.text).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| format!("{}: {error}", source.name)).collect();
        Failure::usage("E0620", lines.join("\n"))
    })?;
    let verified = module::verified(&args.file, module)?;
    write(global, args, verified.module(), None)
}

/// `aivm disasm FILE`: of a module, or of a source text that is compiled first.
pub fn disasm(global: &Global, args: &FileArgs) -> Result<Exit, Failure> {
    let module = match args.file.ends_with(".aivmc") && !load::is_address(&args.file) {
        true => project::nothing_over(&args.file, &args.written).and_then(|()| module::load_module(&args.file))?.0,
        false => module::compile(&project::read_source(&args.file, &args.written)?)?.module,
    };
    let text = disassemble(&module);
    if global.json {
        println!("{}", json!({"v": 1, "digest": module.digest(), "asm": text}));
    } else {
        print!("{text}");
    }
    Ok(Exit::SENT)
}

fn write(global: &Global, args: &OutArgs, module: &Module, debug: Option<&Debug>) -> Result<Exit, Failure> {
    let mut bytes = Vec::new();
    let take = if debug.is_some() { 2 } else { 1 };
    for draft in drafts(module, debug.unwrap_or(&Debug::default())).into_iter().take(take) {
        // No clock and no chance: the same source gives the same bytes. What is in it names it.
        let digest = ContentDigest::of(&draft.media_type, &draft.payload);
        let id = digest.0.first_chunk().copied().unwrap_or_default();
        let artifact = draft.seal(0, id).map_err(|error| Failure::failed("E0809", error.to_string()))?;
        bytes.extend(artifact.to_framed());
    }
    let output = args.output.clone().unwrap_or_else(|| beside(&args.file));
    write_other(&args.file, &output, &bytes)?;
    let digest = module.digest();
    if global.json {
        println!("{}", json!({"v": 1, "file": output, "digest": digest, "bytes": bytes.len()}));
    } else {
        eprintln!(
            "{} · {} bytes · program {}",
            output.display(),
            bytes.len(),
            digest.to_string().get(..12).unwrap_or("")
        );
    }
    Ok(Exit::SENT)
}

/// `dir/x.aivm` → `dir/x.aivmc`; of an address, here, by the end of its path.
fn beside(file: &str) -> PathBuf {
    if !load::is_address(file) {
        return Path::new(file).with_extension("aivmc");
    }
    let path = load::shown(file).splitn(4, '/').nth(3).unwrap_or_default();
    Path::new(path).file_name().map_or("program".into(), PathBuf::from).with_extension("aivmc")
}

/// Writes a file so that it is there whole or not at all, with the permissions that it had. A link stays a link: what it
/// leads to is written. What is no plain file (`/dev/null`, a pipe) stays what it is, and gets the bytes.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || {
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let before = std::fs::metadata(&path).ok();
        if before.as_ref().is_some_and(|before| !before.is_file()) {
            return std::fs::OpenOptions::new().write(true).open(&path)?.write_all(bytes);
        }
        let aside = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(&aside)?;
        let written = before.map_or(Ok(()), |before| file.set_permissions(before.permissions()));
        let written = written.and_then(|()| file.write_all(bytes)).and_then(|()| file.sync_all());
        written.and_then(|()| std::fs::rename(&aside, &path)).inspect_err(|_| {
            let _ = std::fs::remove_file(&aside);
        })
    };
    write().map_err(|error| Failure::usage("E0810", format!("cannot write {}: {error}", path.display())))
}

/// Like [`write_whole`], but never over the file that was read.
pub fn write_other(from: &str, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if std::fs::canonicalize(path).is_ok_and(|path| std::fs::canonicalize(from).is_ok_and(|from| from == path)) {
        let failure = Failure::usage("E0810", format!("cannot write {}: it is what was read", path.display()));
        return Err(failure.help("give another file: -o FILE"));
    }
    write_whole(path, bytes)
}
