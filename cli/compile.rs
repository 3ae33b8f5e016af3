//! `compile`, `disasm`, `asm`: between source, module and assembly text.

use crate::args::{FileArgs, Global, OutArgs};
use crate::fail::{Exit, Failure};
use crate::{module, project};
use aivm_host::mint::Mint;
use aivm_schema::module::{Debug, Module, assemble, disassemble, drafts};
use serde_json::json;
use std::path::{Path, PathBuf};

/// `aivm compile FILE.aivm`.
pub fn compile(global: &Global, args: &OutArgs) -> Result<Exit, Failure> {
    let source = project::read_source(&args.file)?;
    let compiled = module::compile_aloud(&source, global.json)?;
    let verified = module::verified(&args.file, compiled.module)?;
    let debug = (!args.strip).then_some(&compiled.debug);
    write(global, args, verified.module(), debug)
}

/// `aivm asm FILE`.
pub fn asm(global: &Global, args: &OutArgs) -> Result<Exit, Failure> {
    let source = project::read_source(&args.file)?;
    let module = assemble(&source.text).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(|error| format!("{}: {error}", args.file)).collect();
        Failure::usage("E0620", lines.join("\n"))
    })?;
    let verified = module::verified(&args.file, module)?;
    write(global, args, verified.module(), None)
}

/// `aivm disasm FILE`: of a module, or of a source text that is compiled first.
pub fn disasm(global: &Global, args: &FileArgs) -> Result<Exit, Failure> {
    let module = match args.file.ends_with(".aivmc") {
        true => module::load_module(&args.file)?.0,
        false => module::compile(&project::read_source(&args.file)?)?.module,
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
    let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    let mut bytes = Vec::new();
    let take = if debug.is_some() { 2 } else { 1 };
    for draft in drafts(module, debug.unwrap_or(&Debug::default())).into_iter().take(take) {
        let artifact = mint.seal(draft).map_err(|error| Failure::failed("E0809", error.to_string()))?;
        bytes.extend(artifact.to_framed());
    }
    let output = args.output.clone().unwrap_or_else(|| beside(&args.file));
    write_whole(&output, &bytes)?;
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

/// `dir/x.aivm` → `dir/x.aivmc`.
fn beside(file: &str) -> PathBuf {
    Path::new(file).with_extension("aivmc")
}

/// Writes a file so that it is there whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    let result = std::fs::write(&aside, bytes).and_then(|()| std::fs::rename(&aside, path));
    result.map_err(|error| {
        let _ = std::fs::remove_file(&aside);
        Failure::usage("E0810", format!("cannot write {}: {error}", path.display()))
    })
}
