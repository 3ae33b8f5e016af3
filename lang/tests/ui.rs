//! What a user sees: each `tests/ui/*.aivm` is compiled, and the report stands beside it in a `.txt`.
//! `AIVM_BLESS=1` writes what is shown: read the difference before you commit it.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, missing_docs)]

use aivm_lang::diagnostic::{Code, Diagnostic};
use aivm_lang::library::Shelf;
use aivm_lang::{compile, parser, render};
use std::path::{Path, PathBuf};

/// All cases, by name.
fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/ui");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the folder").flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "aivm"));
    files.sort();
    assert!(files.len() >= 40, "only {} cases were found", files.len());
    files
}

/// Every message about a source, where each unknown word is a worker.
fn diagnose(file: &str, source: &str) -> Vec<Diagnostic> {
    let shelf = Shelf { anything: true, ..Shelf::default() };
    match compile(file, source, &shelf) {
        Ok(compiled) => compiled.warnings,
        Err(errors) => errors,
    }
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8")
}

#[test]
fn reports_are_as_they_stand_beside_their_sources() {
    let bless = std::env::var_os("AIVM_BLESS").is_some();
    let (mut wrong, mut all) = (Vec::new(), String::new());
    for path in cases() {
        let bytes = std::fs::read(&path).expect("a source");
        let file = name(&path);
        let lossy = String::from_utf8_lossy(&bytes);
        let (source, diagnostics) = match parser::read_utf8(&bytes) {
            Ok(source) => (source, diagnose(file, source)),
            Err(error) => (lossy.as_ref(), vec![error]),
        };
        assert!(!diagnostics.is_empty(), "nothing is said about {file}");
        let shown: Vec<String> =
            diagnostics.iter().map(|diagnostic| render::report(file, source, diagnostic, false)).collect();
        let shown = shown.join("\n");
        let beside = path.with_extension("txt");
        all.push_str(&shown);
        let before = std::fs::read_to_string(&beside).unwrap_or_default();
        if bless {
            std::fs::write(&beside, shown).expect("written");
        } else if shown != before {
            wrong.push(format!("{file}:\n--- beside it\n{before}\n--- shown\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n\n{}", wrong.len(), wrong.join("\n\n"));
    for code in Code::ALL.iter().map(|code| code.text()).filter(|code| code.starts_with("E01")) {
        // A source that is too long is no file for this folder.
        assert!(all.contains(code) || code == "E0101", "{code} has no case");
    }
}

/// The source with a fix applied.
fn mend(source: &str, diagnostic: &Diagnostic) -> Option<String> {
    let mut edits = diagnostic.fix.as_ref()?.edits.clone();
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(*span));
    let mut source = source.to_owned();
    for (span, text) in edits {
        source.replace_range(span.range(), &text);
    }
    Some(source)
}

#[test]
fn a_fix_mends_what_it_is_about() {
    let mut mended = 0;
    for path in cases() {
        let Ok(source) = std::fs::read_to_string(&path) else { continue };
        let diagnostics = diagnose(name(&path), &source);
        for diagnostic in &diagnostics {
            let Some(better) = mend(&source, diagnostic) else { continue };
            let left = diagnose(name(&path), &better);
            let same = |other: &&Diagnostic| (other.code, &other.message) == (diagnostic.code, &diagnostic.message);
            let (before, after) = (diagnostics.iter().filter(same).count(), left.iter().filter(same).count());
            assert!(after < before, "{}: `{}` is still there in\n{better}", name(&path), diagnostic.message);
            mended += 1;
        }
    }
    assert!(mended > 30, "only {mended} fixes were tried");
}

#[test]
fn names_are_judged_beside_broken_syntax_unless_that_may_define_them() {
    let source = "part <= ( switch <= ( x -> send ) ) )\nhelper <= {}\nout <= ( switch <= (\n  nobody => next\n  helper => back * 0\n) ) <= in\n";
    let codes = |source: &str| -> Vec<&str> {
        let errors = compile("x.aivm", source, &Shelf::default()).expect_err("it is wrong");
        errors.iter().map(|error| error.code.text()).collect()
    };
    let unbalanced = codes(source);
    assert!(!unbalanced.contains(&"E0201"), "{unbalanced:?}");
    let source = source.replace(") )\nhelper", ")\nhelper");
    assert_eq!(codes(&source).iter().filter(|code| **code == "E0201").count(), 1, "{:?}", codes(&source));
}
