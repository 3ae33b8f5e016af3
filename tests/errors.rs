//! Every code has a page, and every page is true: its wrong program gives that code first, its right one does not.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use aivm_lang::diagnostic::{Code, Severity};
use common::fences;
use std::path::PathBuf;

/// Codes whose cause is not in one program.
const WITHOUT_PROGRAM: [&str; 12] =
    ["E0101", "E0102", "E0110", "E0120", "E0209", "E0210", "E0311", "E0312", "E0964", "E1024", "E1025", "E1026"];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/errors")
}

/// The codes that a program gives, errors first.
fn codes(program: &str) -> Vec<String> {
    let mut all = common::diagnostics(program, true);
    all.push_str(&common::diagnostics(program, false));
    all.push_str(&common::of_severity(program, Severity::Hint));
    all.lines().filter_map(|line| line.split(' ').next()).filter(|code| *code != "none").map(str::to_owned).collect()
}

#[test]
fn the_wrong_program_of_a_page_gives_its_code_and_the_right_one_does_not() {
    for code in Code::ALL {
        let path = folder().join(format!("{code}.md"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{code} has no page"));
        let title = format!("# {code}: {}", code.title());
        assert_eq!(page.lines().next(), Some(title.as_str()));
        let kinds: &[&str] = if code.text() < "E1000" { &["aivm"] } else { &["toml", "yaml"] };
        let is_program = |fence: &common::Fence| kinds.contains(&fence.kind.as_str());
        let programs: Vec<String> = fences(&page).into_iter().filter(is_program).map(|fence| fence.text).collect();
        if WITHOUT_PROGRAM.contains(&code.text()) {
            continue;
        }
        let [wrong, right] = programs.as_slice() else { panic!("{code}: a page has a wrong and a right program") };
        assert_eq!(codes(wrong).first().map(String::as_str), Some(code.text()), "the wrong program of {code}");
        let after = codes(right);
        assert!(!after.contains(&code.to_string()), "the right program of {code} still gives it");
        let is_error =
            |text: &String| Code::ALL.iter().any(|one| one.text() == text && one.severity() == Severity::Error);
        assert!(!after.iter().any(is_error), "the right program of {code} gives {after:?}");
    }
}

#[test]
fn no_two_pages_have_one_title() {
    let mut titles = std::collections::BTreeMap::new();
    for file in std::fs::read_dir(folder()).expect("the folder").flatten().map(|entry| entry.path()) {
        let page = std::fs::read_to_string(&file).expect("a page");
        let Some((code, title)) = page.lines().next().and_then(|line| line.split_once(": ")) else { continue };
        if let (Some("md"), Some(other)) =
            (file.extension().and_then(|end| end.to_str()), titles.insert(title.to_owned(), code.to_owned()))
        {
            panic!("{code} and {other}: {title}");
        }
    }
}

#[test]
fn the_list_of_pages_is_the_folder() {
    let list = std::fs::read_to_string(folder().join("pages.rs")).expect("the list");
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| name.strip_suffix(".md")).map(str::to_owned))
        .collect();
    files.sort();
    let listed: Vec<String> =
        list.split("\n    (\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    assert_eq!(listed, files);
}
