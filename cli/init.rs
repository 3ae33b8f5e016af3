//! `init`: a file to begin with. Each template is a program that is checked and runs as it is, with no key.

use crate::args::{Begun, Global, InitArgs};
use crate::fail::{Exit, Failure};
use serde_json::json;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// `aivm init [KIND] [FILE]`.
pub fn init(global: &Global, args: &InitArgs) -> Result<Exit, Failure> {
    let (usual, text) = template(args.what);
    let file = args.file.as_deref().unwrap_or(usual);
    if file == "-" {
        print!("{text}");
        return Ok(Exit::SENT);
    }
    write_new(Path::new(file), text)?;
    match global.json {
        true => println!("{}", json!({"v": 1, "file": file})),
        false => println!("{file}: {}", next(args.what, file)),
    }
    Ok(Exit::SENT)
}

/// The usual name of its file, and what is in it.
fn template(what: Begun) -> (&'static str, &'static str) {
    match what {
        Begun::Aivm => ("pipeline.aivm", include_str!("init/pipeline.aivm")),
        Begun::Workflow => ("workflow.toml", include_str!("init/workflow.toml")),
        Begun::Saga => ("saga.yaml", include_str!("init/saga.yaml")),
        Begun::Aitws => ("aitws.toml", include_str!("init/aitws.toml")),
        Begun::Worker => ("workers/ask.md", include_str!("init/worker.md")),
        Begun::Config => ("aivm.toml", include_str!("init/aivm.toml")),
    }
}

/// What is done with it.
fn next(what: Begun, file: &str) -> String {
    match what {
        Begun::Aivm | Begun::Workflow | Begun::Saga | Begun::Aitws => format!("aivm run {file}"),
        Begun::Worker => "a program beside its folder can call `ask`".to_owned(),
        Begun::Config => "aivm config show".to_owned(),
    }
}

/// Never over what is there.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage("E0839", format!("{} is there already", path.display()))
            .help("name another file: aivm init KIND FILE; see the template: aivm init KIND -"),
        _ => Failure::usage("E0810", format!("cannot write {}: {error}", path.display())),
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = std::fs::File::options().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
}
