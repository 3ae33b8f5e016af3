//! Programs with more errors than anybody reads: no more are shown, those that stand first, and the work stays linear.

#![allow(clippy::expect_used)]

use aivm_lang::compile;
use aivm_lang::diagnostic::{Code, Diagnostic, MOST_ERRORS};
use aivm_lang::library::{Found, Library, LibraryError, Shelf};
use std::cell::Cell;

fn errors(source: &str) -> Vec<Diagnostic> {
    compile("p.aivm", source, &Shelf { anything: true, ..Shelf::default() }).map(|_| ()).expect_err("errors")
}

/// `text` once for each number, the number in place of `@`.
fn numbered(text: &str, count: usize) -> String {
    (1..=count).map(|number| text.replace('@', &number.to_string())).collect()
}

#[test]
fn of_many_errors_the_first_are_shown() {
    let programs = [
        (numbered("x<=()\n", 2_000) + "out<=()<=in", Code::DuplicateDefinition),
        (format!("out<=(switch[s]<=({}))<=in", numbered("a=>[k@.jump] ", 5_000)), Code::UnknownLabel),
        (format!("out<=(switch[s]<=({}))<=in", numbered("a=>[s.k@.jump] ", 5_000)), Code::UnknownStep),
        (format!("+++\n{}+++\nout<=()<=in", numbered("[worker.\"@ \"]\nmock=[]\n", 5_000)), Code::NotAName),
        (format!("+++\n{}+++\nout<=()<=in", numbered("[stage.s@]\nchooser=\"a\"\n", 5_000)), Code::NoSuchStage),
    ];
    for (source, code) in programs {
        let errors = errors(&source);
        assert_eq!(errors.len(), MOST_ERRORS, "{code}");
        assert!(errors.iter().all(|error| error.code == code), "{code}");
        assert!(errors.is_sorted_by_key(|error| error.primary.span), "{code}");
    }
}

#[test]
fn of_many_warnings_the_first_are_shown() {
    let source = format!("out<=(match<=(default=>send {}))<=in", numbered("x=>send ", 5_000));
    let compiled = compile("p.aivm", &source, &Shelf { anything: true, ..Shelf::default() }).expect("it compiles");
    assert_eq!(compiled.warnings.len(), MOST_ERRORS);
}

#[test]
fn words_that_every_step_may_answer_are_bounded_all_together() {
    let steps = numbered("a=>send ", 10_000);
    let arms = numbered("w@=>send ", 10_000);
    let errors = errors(&format!("out<=(switch<=({steps})<=match<=({arms}))<=in"));
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), [Code::TooLarge]);
}

#[test]
fn a_word_or_a_path_of_words_has_an_end() {
    let code = |source: String| errors(&source).first().map(|error| error.code);
    let most = aivm_schema::limits::WORD;
    let program = |label: &str, worker: &str| format!("out<=(switch[{label}]<=({worker}=>send))<=in");
    assert_eq!(code(program(&"x".repeat(most + 1), "a")), Some(Code::BadWord));
    assert_eq!(code(program("x", &"a".repeat(most + 1))), Some(Code::BadWord));
    assert_eq!(code(program("x", &format!("a{}", ".a".repeat(most / 2)))), Some(Code::NotAName));
    let fits = program(&"x".repeat(most), &format!("{}.a", "a".repeat(most - 2)));
    assert!(compile("p.aivm", &fits, &Shelf { anything: true, ..Shelf::default() }).is_ok());
}

/// Counts what it is asked.
#[derive(Default)]
struct Asked(Cell<usize>);

impl Library for Asked {
    fn find(&self, _file: &str, _name: &str) -> Result<Option<Found>, LibraryError> {
        self.0.set(self.0.get() + 1);
        Ok(None)
    }
    fn names(&self, _file: &str) -> Vec<String> {
        self.0.set(self.0.get() + 1);
        Vec::new()
    }
}

#[test]
fn a_library_is_not_asked_for_what_nobody_will_read() {
    let library = Asked::default();
    let source = format!("out<=(switch<=({}))<=in", numbered("w@=>send ", 20_000));
    assert!(compile("p.aivm", &source, &library).is_err());
    assert!(library.0.get() <= 1_200, "asked {} times", library.0.get());
}
