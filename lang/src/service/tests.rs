//! What the service answers. In these texts `‸` is the cursor.

use super::*;
use crate::library::Shelf;
use aivm_schema::worker::{Does, WorkerDefinition};

mod edits;
mod fixes;

const PROGRAM: &str = r#"+++
[worker.write]
about = "Writes a page."
mock = ["next"]
undo = "withdraw"
[worker.withdraw]
mock = []
[worker.judge]
mock = ["good"]
words = ["good"]
[behaviour.careful]
prompt = "Take your time."
+++
review <= ( switch <= ( judge => next | cancel ) )
out <= (
    switch[draft]<5m> <= (
        write ~ withdraw         => next | cancel
        [review <= draft.write.out] => continue | back
    ) <= match <= (
        good    => send
        default => cancel
    )
) <= in
"#;

fn shelf() -> Shelf {
    let worker = |about: &str| {
        let definition = WorkerDefinition { about: about.to_owned(), ..WorkerDefinition::new(Does::Mock) };
        crate::library::Found::Worker(Box::new(definition))
    };
    let workers = [("plan", "Makes a plan."), ("print", "Prints it.")];
    let workers = workers.map(|(name, about)| (name.to_owned(), worker(about))).into();
    Shelf { workers, ..Shelf::default() }
}

/// The text without its cursor, and the byte where that was.
fn placed(text: &str) -> (Document, u32) {
    let at = text.find('‸').expect("a cursor");
    (Document::new("x.aivm", text.replacen('‸', "", 1), &shelf()), at as u32)
}

/// The program of these tests with the cursor in the middle of a piece of it.
fn program(piece: &str) -> (Document, u32) {
    let bare = piece.replacen('‸', "", 1);
    assert_eq!(PROGRAM.matches(&bare).count(), 1, "`{bare}` stands there once");
    placed(&PROGRAM.replacen(&bare, piece, 1))
}

fn completed(text: &str) -> Vec<String> {
    let (document, at) = placed(text);
    document.complete(at, &shelf()).into_iter().map(|one| one.label).collect()
}

fn switch(inside: &str) -> String {
    format!("out <= (\n    switch[here] <= (\n        {inside}\n    )\n) <= in\n")
}

#[test]
fn the_program_of_these_tests_is_right() {
    let document = Document::new("x.aivm", PROGRAM, &shelf());
    assert!(document.compiled().is_some(), "{:?}", document.diagnostics());
    assert_eq!(document.diagnostics().len(), 0, "{:?}", document.diagnostics());
}

#[test]
fn a_step_begins_with_whoever_can_be_called() {
    assert_eq!(completed(&switch("‸")), ["plan", "print", "switch", "select", "join", "match", "out <="]);
    assert_eq!(completed(&switch("pr‸"))[0], "print");
    assert_eq!(completed(&switch("plan => next\n        pr‸"))[0], "print");
    assert_eq!(completed(&switch("plan ~ ‸ => next")), ["plan", "print"]);
    // A definition does not call itself.
    let (document, at) = program("switch <= (‸ judge");
    let labels: Vec<String> = document.complete(at, &shelf()).into_iter().map(|one| one.label).collect();
    assert_eq!(labels[..3], ["judge", "withdraw", "write"]);
}

#[test]
fn after_the_arrow_come_the_outcomes_that_are_not_said_yet() {
    let all = completed(&switch("plan => ‸"));
    assert_eq!(all[..7], ["next", "continue", "send", "back", "retry", "cancel", "timeout"]);
    assert_eq!(all[7..], ["[here.jump]", "[here.plan.jump]"]);
    let rest = completed(&switch("plan => next | c‸"));
    assert_eq!(rest[..3], ["continue", "cancel", "send"]);
    assert!(!rest.contains(&"next".to_owned()));
    assert!(!completed("out <= ( join <= ( plan => ‸ ) ) <= in").contains(&"back".to_owned()));
    assert_eq!(completed("out <= ( switch <= ( plan => ne‸")[0], "next");
}

#[test]
fn a_match_has_arms_and_ends() {
    let (document, at) = program("‸good    => send");
    let labels: Vec<String> = document.complete(at, &shelf()).into_iter().map(|one| one.label).collect();
    assert_eq!(labels[..3], ["good", "success", "failure"]);
    assert_eq!(completed("out <= ( match <= ( success => ‸ ) ) <= in")[..2], ["send", "next"]);
}

#[test]
fn references_and_jumps_are_whole() {
    let references = ["in", "here.plan.out", "here.print.out", "here.out", "here.in"];
    assert_eq!(completed(&switch("plan => next\n[print <= ‸] => send")), references);
    let replaced = |text: &str| {
        let (document, at) = placed(text);
        let one = document.complete(at, &shelf()).remove(0);
        (one.insert, document.slice(one.replace).to_owned())
    };
    let written = switch("plan => next\n[print <= here.pl‸] => send");
    assert_eq!(replaced(&written), ("here.plan.out".to_owned(), "here.pl".to_owned()));
    let jump = switch("plan => next | [he‸]");
    assert_eq!(replaced(&jump), ("here.jump".to_owned(), "he".to_owned()));
}

#[test]
fn groups_hold_stages_and_limits_hold_behaviours() {
    assert_eq!(completed("out <= ( ‸ ) <= in"), ["switch", "select", "join", "match"]);
    assert_eq!(completed("out <= ( switch <= ( plan => next ) <= ‸ ) <= in"), ["switch", "select", "join", "match"]);
    assert_eq!(completed("out <= ( switch <= ( plan => next ) ) <= ‸"), ["in"]);
    let (document, at) = program("switch[draft]<5m‸>");
    assert_eq!(document.complete(at, &shelf()), []);
    let (document, at) = placed(&PROGRAM.replace("<5m>", "<5m, ‸>"));
    assert_eq!(document.complete(at, &shelf())[0].label, "careful");
    assert_eq!(completed("out <= ( switch <= ( plan => next ; ‸\n ) ) <= in"), [""; 0]);
}

#[test]
fn front_matter_has_keys_and_tables() {
    let labels = |text: &str| completed(&format!("+++\n{text}\n+++\n{}", switch("plan => next\nprnt => next")));
    assert!(labels("[worker.plan]\nef‸")[0].starts_with("effect"));
    assert_eq!(labels("[worker.plan]\neffect = ‸")[..2], ["pure", "read"]);
    assert_eq!(labels("[‸")[..2], ["worker.plan", "worker.prnt"]);
    assert_eq!(labels("[limits]\nca‸")[0], "calls");
}

fn hovered(piece: &str) -> String {
    let (document, at) = program(piece);
    document.hover(at, &shelf()).map(|hover| hover.text).unwrap_or_default()
}

#[test]
fn hover_tells_what_a_word_does() {
    insta::assert_snapshot!(hovered("wr‸ite ~ withdraw  "), @r"
    **`write`**: mock, effect not declared, so taken for irreversible.

    Writes a page.

    It is taken back by `withdraw`.

    In one run: at most 8 calls, 8m, $0.00.

    Visits in one entry of its stage: at most 8, the default where nobody says how often.

    - `next` → draft/review
    - `cancel`
    ");
    insta::assert_snapshot!(hovered("[rev‸iew <="), @r"
    **`review`**: a definition of this file.

    Visits in one entry of its stage: at most 8, the default where nobody says how often.

    - `continue` → match.2
    - `back` → draft/write
    ");
    insta::assert_snapshot!(hovered("switch[dr‸aft]"), @"The stage labelled `draft`: a `switch`.");
    assert!(hovered("=> cont‸inue |").starts_with("`continue`: as `next`, but"));
    assert!(hovered("go‸od    =>").contains("answered so"));
    assert_eq!(hovered("mat‸ch <="), hovered("match‸ <="));
    assert!(hovered("mat‸ch <=").starts_with("`match`: a stage that calls nobody"));
}

fn defined(piece: &str) -> String {
    let (document, at) = program(piece);
    let place = document.definition(at, &shelf()).expect("it is defined");
    let (line, column) = crate::render::position(document.text(), place.span.start);
    format!("{}:{line}:{column}", place.file)
}

#[test]
fn a_word_leads_to_where_it_is_given() {
    assert_eq!(defined("wri‸te ~ withdraw  "), "x.aivm:2:9");
    assert_eq!(defined("~ with‸draw  "), "x.aivm:6:9");
    assert_eq!(defined("[rev‸iew <="), "x.aivm:14:1");
    assert_eq!(defined("dra‸ft.write.out"), "x.aivm:16:12");
    assert_eq!(defined("draft.wri‸te.out"), "x.aivm:17:9");
}

fn renamed(piece: &str, to: &str) -> Result<String, RenameError> {
    let (document, at) = program(piece);
    document.rename(at, to, &shelf()).map(|edits| rename::apply(document.text(), &edits))
}

#[test]
fn a_name_changes_everywhere_or_nowhere() {
    let compose = PROGRAM.replace("worker.write", "worker.compose").replace("write ~", "compose ~");
    assert_eq!(renamed("wri‸te ~ withdraw  ", "compose"), Ok(compose.replace("draft.write", "draft.compose")));
    assert_eq!(renamed("draft.wri‸te.out", "compose"), renamed("wri‸te ~ withdraw  ", "compose"));
    assert_eq!(renamed("with‸draw]", "retract"), Ok(PROGRAM.replace("withdraw", "retract")));
    assert_eq!(renamed("switch[dra‸ft]", "page"), Ok(PROGRAM.replace("draft", "page")));
    assert_eq!(renamed("[worker.jud‸ge]", "write"), Err(RenameError::Taken("write".to_owned())));
    assert_eq!(renamed("[worker.jud‸ge]", "switch"), Err(RenameError::NotAName("switch".to_owned())));
    assert_eq!(renamed("go‸od    =>", "fine"), Err(RenameError::NoName));
    let (document, at) = placed(&switch("pl‸an => send"));
    assert_eq!(document.rename(at, "draw", &shelf()), Err(RenameError::Elsewhere("plan".to_owned())));
    let (document, at) = placed("out <= ( switch[he‸re] <= ( plan => send | [here.jump] ) ) <= in");
    let answer = RenameError::Answer { word: "here".to_owned(), worker: "plan".to_owned() };
    assert_eq!(document.rename(at, "there", &shelf()), Err(answer));
}

#[test]
fn the_shape_of_a_text() {
    let document = Document::new("x.aivm", PROGRAM, &shelf());
    let mut lines = Vec::new();
    fn outline(symbols: &[Symbol], depth: usize, lines: &mut Vec<String>) {
        for symbol in symbols {
            lines.push(format!("{}{:?} {}", "  ".repeat(depth), symbol.kind, symbol.name));
            outline(&symbol.children, depth + 1, lines);
        }
    }
    outline(&document.symbols(), 0, &mut lines);
    insta::assert_snapshot!(lines.join("\n"), @r"
    Definition review
      Stage switch
        Step judge
    Program out
      Stage draft
        Step write
        Step review
      Stage match
    ");
    let position = |at: u32| crate::render::position(document.text(), at).0;
    let folds: Vec<(usize, usize)> =
        document.folds().iter().map(|fold| (position(fold.span.start), position(fold.span.end))).collect();
    assert_eq!(folds, [(1, 14), (15, 23), (16, 19), (19, 22)]);
    let lenses: Vec<(usize, LensKind)> =
        document.lenses().iter().map(|lens| (position(lens.span.start), lens.kind)).collect();
    assert_eq!(lenses, [(15, LensKind::RunMock), (15, LensKind::Run)]);
}

#[test]
fn every_word_is_marked_as_what_it_is() {
    let document =
        Document::new("x.aivm", "a <= () out <= ( switch[l]<5> <= ( a<c> ~ b => back * 2 ; x\n ) ) <= in", &shelf());
    let marks: Vec<String> =
        document.marks().iter().map(|mark| format!("{}:{:?}", document.slice(mark.span), mark.kind)).collect();
    insta::assert_snapshot!(marks.join(" "), @"a:Definition <=:Operator out:Keyword <=:Operator switch:Keyword l:Label 5:Number <=:Operator a:Worker c:Behaviour ~:Operator b:Worker =>:Operator back:Outcome *:Operator 2:Number ; x:Comment <=:Operator in:Keyword");
}

#[test]
fn what_is_not_written_is_hinted_at() {
    let (document, _) =
        placed(&format!("{}‸", switch("plan => next\nprint => back | next\n) <= match <= ( good => send")));
    let mut text = document.text().to_owned();
    for hint in document.hints().iter().rev() {
        text.insert_str(hint.at as usize, &hint.text);
    }
    insta::assert_snapshot!(text, @r"
    out <= (
        switch[here] <= (
            plan<8> => next
    print<8> => back | next
    ) then match ↓ <= match <= ( good => send
        )
    ) <= in
    ");
}
