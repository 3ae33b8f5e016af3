//! `fix`: what is wrong with a program and can be mended without asking anybody, mended in its file.

use crate::args::{FixArgs, Global};
use crate::fail::{Exit, Failure, Source, colours, show_diagnostics};
use crate::library::Files;
use crate::out::{one_line, paint};
use crate::{compile, load, project};
use aivm_lang::service::{self, Fixed};
use serde_json::json;
use similar::TextDiff;
use std::path::Path;

/// `aivm fix FILE…`.
pub fn fix(global: &Global, args: &FixArgs) -> Result<Exit, Failure> {
    let mut reports = Vec::new();
    let (mut changed, mut wrong) = (false, false);
    for file in &args.files {
        let source = project::read_source(file, &Default::default())?;
        let library = Files::around(&source.name).map_err(|error| Failure::usage("E0802", error.to_string()))?;
        let fixed = service::fix(&source.name, &source.text, args.names, &library);
        changed |= !fixed.applied.is_empty();
        wrong |= !fixed.left.is_empty();
        let only_told = args.check || args.diff || file == "-" || load::is_address(file);
        if !only_told && !fixed.applied.is_empty() {
            may_be_written(Path::new(file))?;
            compile::write_whole(Path::new(file), fixed.text.as_bytes())?;
        }
        if global.json {
            reports.push(told_in_json(&source, fixed));
        } else {
            show(args, file, &source, fixed);
        }
    }
    if global.json {
        println!("{}", json!({"v": 1, "files": reports}));
    }
    Ok(match (wrong, changed && args.check) {
        (true, _) => Exit::USAGE,
        (_, true) => Exit::FAILED,
        _ => Exit::SENT,
    })
}

/// A file that is read-only was not given to be changed, though its folder would let another take its place.
fn may_be_written(file: &Path) -> Result<(), Failure> {
    match std::fs::metadata(file).is_ok_and(|about| about.permissions().readonly()) {
        true => {
            let failure = Failure::usage("E0810", format!("cannot write {}: it is read-only", file.display()));
            Err(failure.help("--diff shows what would be changed"))
        }
        false => Ok(()),
    }
}

fn told_in_json(source: &Source, fixed: Fixed) -> serde_json::Value {
    let after = Source { text: fixed.text, ..source.clone() };
    json!({
        "file": source.name, "fixes": fixed.applied, "output": after.text,
        "diagnostics": after.told_in_json(&fixed.left),
    })
}

fn show(args: &FixArgs, file: &str, source: &Source, fixed: Fixed) {
    if args.diff {
        print!("{}", TextDiff::from_lines(&source.text, &fixed.text).unified_diff().header(&source.name, &source.name));
    } else if (file == "-" || load::is_address(file)) && !args.check {
        print!("{}", fixed.text);
    }
    for one in &fixed.applied {
        let code = paint(colours(&std::io::stderr()), "2", one.code.text());
        eprintln!("{}: {}: {} {code}", source.name, one_line(&one.message), one_line(&one.title));
    }
    show_diagnostics(&Source { text: fixed.text, ..source.clone() }, &fixed.left);
}
