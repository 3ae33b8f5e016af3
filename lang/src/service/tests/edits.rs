//! Any edit of any program: nothing panics, and every place is one of the text.

use super::*;
use crate::sample::{self, Dice};
use proptest::prelude::*;

/// What people and models paste into programs.
const PIECES: &[&str] = &[
    "=>",
    "<=",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    "|",
    "~",
    "*",
    ".",
    ",",
    ";",
    " ",
    "\n",
    "\n    ",
    "+++\n",
    "switch",
    "join <= (",
    "out <= ",
    "in",
    "next",
    "back * 3",
    "[x.jump]",
    "plan",
    "<5, 30s>",
    "ä",
    "“quoted”",
    "→",
    "```\n",
    "{",
    "}",
    "\u{1f600}",
    "[worker.plan]\n",
    "effect = \"",
    "plan => next\n",
    "; a comment",
    "\t",
    "\r\n",
    "\u{feff}",
    "65536",
    "$0.",
    "'",
];

/// The program after a number of edits: pieces are put in, taken out, doubled and undone.
fn edited(seed: u64, edits: usize) -> String {
    let mut dice = Dice::new(seed);
    let mut text = match dice.below(3) {
        0 => PROGRAM.to_owned(),
        1 => crate::format::format(&sample::program(seed, 8)).unwrap_or_default(),
        _ => sample::program(seed, 8),
    };
    let mut before = Vec::new();
    for _ in 0..edits {
        let mut place = |text: &str| text.floor_char_boundary(dice.below(text.len() + 1));
        let (a, b) = (place(&text), place(&text));
        let near = text.ceil_char_boundary((a + 1 + b % 12).min(text.len()));
        let last = text.clone();
        match dice.below(6) {
            0 | 1 => text.insert_str(a, dice.pick(PIECES)),
            2 => text.replace_range(a..near, ""),
            3 => text.replace_range(a.min(b)..a.max(b), dice.pick(PIECES)),
            4 => text.insert_str(a, &last[b.min(near)..b.max(near)]),
            _ => text = before.pop().unwrap_or(last.clone()),
        }
        before.push(last);
    }
    text
}

/// Asks everything about every place.
fn ask(text: &str) {
    let shelf = shelf();
    let document = Document::new("x.aivm", text, &shelf);
    let good = |span: Span, of: &str| {
        assert!(span.start <= span.end && text.get(span.range()).is_some(), "{of} at {span:?} of {text:?}");
    };
    for one in document.diagnostics() {
        good(one.primary.span, one.code.text());
        one.labels.iter().for_each(|label| good(label.span, one.code.text()));
        one.fix.iter().flat_map(|fix| &fix.edits).for_each(|(span, _)| good(*span, "a fix"));
    }
    for at in (0..=text.len() as u32 + 3).step_by(3) {
        document.complete(at, &shelf).iter().for_each(|one| good(one.replace, "a completion"));
        document.hover(at, &shelf).iter().for_each(|hover| good(hover.span, "a hover"));
        document.references(at).into_iter().for_each(|span| good(span, "a reference"));
        document.definition(at, &shelf).iter().for_each(|place| good(place.span, "a definition"));
    }
    document
        .rename(text.len() as u32 / 2, "fresh", &shelf)
        .iter()
        .flatten()
        .for_each(|(span, _)| good(*span, "an edit"));
    document.marks().iter().for_each(|mark| good(mark.span, "a mark"));
    document.folds().iter().for_each(|fold| good(fold.span, "a fold"));
    document.lenses().iter().for_each(|lens| good(lens.span, "a lens"));
    document.hints().iter().for_each(|hint| good(Span::new(hint.at, hint.at), "a hint"));
    let mut symbols = document.symbols();
    while let Some(symbol) = symbols.pop() {
        good(symbol.span, "a symbol");
        assert!(symbol.span.start <= symbol.name_span.start && symbol.name_span.end <= symbol.span.end, "{text:?}");
        symbols.extend(symbol.children);
    }
}

proptest! {
    #[test]
    fn any_edit_of_a_program_has_answers_within_the_text(seed: u64, edits in 0usize..12) {
        ask(&edited(seed, edits));
    }

    #[test]
    fn what_is_mended_parses_no_worse(seed: u64, edits in 0usize..6) {
        let text = edited(seed, edits);
        let fixed = fix("x.aivm", &text, true, &shelf());
        let (before, after) = (crate::parser::parse(&text).diagnostics, crate::parser::parse(&fixed.text).diagnostics);
        if fixed.applied.is_empty() {
            prop_assert_eq!(&fixed.text, &text);
        } else {
            let behind = |text: &str, errors: &[Diagnostic]| {
                errors.first().map_or(0, |one| text.len() - one.primary.span.start as usize)
            };
            let further = behind(&fixed.text, &after) < behind(&text, &before);
            prop_assert!(after.len() <= before.len() || further, "{:?}", text);
        }
    }

    #[test]
    fn a_name_that_is_changed_and_changed_back_is_the_same(seed: u64, at: u32) {
        let text = edited(seed, 0);
        let document = Document::new("x.aivm", text.clone(), &shelf());
        let at = at % (text.len() as u32 + 1);
        if let Ok(edits) = document.rename(at, "fresh-name", &shelf()) {
            let renamed = Document::new("x.aivm", rename::apply(&text, &edits), &shelf());
            prop_assert!(renamed.compiled().is_some());
            let first = edits.first().map(|(span, _)| *span).unwrap_or_default();
            let back = renamed.rename(first.start, document.slice(first), &shelf());
            prop_assert_eq!(back.map(|edits| rename::apply(renamed.text(), &edits)), Ok(text));
        }
    }
}
