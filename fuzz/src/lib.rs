//! What the targets share: the library that their programs are compiled against.

use aivm_lang::diagnostic::{Diagnostic, MOST_ERRORS};
use aivm_lang::library::{Found, Shelf};
use aivm_lang::render;

/// Every word is a mock; `sub` is a pipeline in a file of its own, with the same text.
pub fn shelf(source: &str) -> Shelf {
    let sub = Found::Program { file: "sub.aivm".into(), source: source.into() };
    Shelf { workers: [("sub".to_owned(), sub)].into(), anything: true, ..Shelf::default() }
}

/// The laws of messages: few enough to read, about places that exist, and every form of each can be shown.
pub fn judge(source: &str, diagnostics: &[Diagnostic]) {
    assert!(diagnostics.len() <= MOST_ERRORS);
    for (at, diagnostic) in diagnostics.iter().enumerate() {
        let line = render::line("p.aivm", source, diagnostic);
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!(render::to_json("p.aivm", source, diagnostic)["code"].is_string());
        for (span, _) in diagnostic.fix.iter().flat_map(|fix| &fix.edits) {
            assert!(source.get(span.range()).is_some(), "a fix that cannot be made: {diagnostic:?}");
        }
        // Reports take long; one input in many has another diagnostic first.
        if at < 4 {
            let report = render::report("p.aivm", source, diagnostic, false);
            assert!(report.contains(diagnostic.code.text()) && report.ends_with('\n'));
            assert!(
                !report.contains(|c: char| c.is_control() && c != '\n'),
                "a source steers the terminal: {report:?}"
            );
            let _ = render::report("p.aivm", source, diagnostic, true);
        }
    }
}
