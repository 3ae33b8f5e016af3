//! The manual page of the machine, `docs/isa.md`: its prose is written by hand, its tables come from [`TABLE`]. And the one
//! text per format version that says what the table was, so that no row changes without a new version.
//!
//! `AIVM_BLESS=1` writes the page's tables anew, and the text of a version that has none yet; never one that is there.
#![allow(clippy::disallowed_methods)]

use super::*;
use crate::module::{EndKind, StageKind, assemble, disassemble};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Where a generated part of the page ends.
const END: &str = "<!-- end -->";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/isa.md")
}

fn bless() -> bool {
    std::env::var_os("AIVM_BLESS").is_some()
}

/// How the assembler spells an operand, and what stands in the word.
fn spelling(kind: OperandKind) -> (&'static str, &'static str) {
    match kind {
        OperandKind::Stage => ("`draft`", "index of a stage of the function"),
        OperandKind::Step => ("`draft/write`", "index of a step of the function"),
        OperandKind::Counter => ("`c2`", "index of a counter of the function"),
        OperandKind::OptionalCounter => ("`c2` or `-`", "index of a counter of the function; 65,535 for none"),
        OperandKind::Register => ("`in`, `r1`", "index of a register of the function; `in` is 0"),
        OperandKind::Word => ("`good`", "index of a word of the module"),
        OperandKind::Number => ("`3`", "a plain number"),
        OperandKind::Target => ("`L7` or `@7`", "a code address, counted in words from the start of the code"),
        OperandKind::Offset => ("`L7`, `+4`, `-`", "words forward from this one; of a `retry` how often; 0 for none"),
        OperandKind::Edge => ("`next`", "number of a kind of edge"),
        OperandKind::Kinds => ("`failure+timeout`", "a set of kinds of ending, one bit each"),
        OperandKind::Flag => ("its name, or nothing", "1 or 0"),
    }
}

const KINDS: [OperandKind; 12] = [
    OperandKind::Stage,
    OperandKind::Step,
    OperandKind::Counter,
    OperandKind::OptionalCounter,
    OperandKind::Register,
    OperandKind::Word,
    OperandKind::Number,
    OperandKind::Target,
    OperandKind::Offset,
    OperandKind::Edge,
    OperandKind::Kinds,
    OperandKind::Flag,
];

/// What a row does, whole.
fn text(row: &OpInfo) -> String {
    row.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Its first sentence.
fn sentence(row: &OpInfo) -> String {
    let text = text(row);
    text.split_inclusive(". ").next().unwrap_or("").trim_end().to_owned()
}

fn operands_of(row: &OpInfo) -> String {
    let names: Vec<String> = row.operands.iter().map(|(name, ..)| format!("*{name}*")).collect();
    names.join(" ")
}

/// The word of a row, field by field.
fn layout(row: &OpInfo) -> String {
    let field = |slot: Slot| row.operands.iter().find(|operand| operand.2 == slot).map_or("0", |operand| operand.0);
    let low = match field(Slot::Bc) {
        "0" => format!("b:{} c:{}", field(Slot::B), field(Slot::C)),
        target => format!("bc:{target}"),
    };
    format!("op:{:#04x} flags:{} a:{} {low}", row.number, field(Slot::Flags), field(Slot::A))
}

/// A generated part of the page.
fn part(name: &str) -> String {
    let mut out = String::new();
    match name {
        "format" => out = format!("This page is about format **{FORMAT}**.\n"),
        "instructions" => {
            out.push_str("| number | instruction | what it does |\n| --- | --- | --- |\n");
            for row in TABLE {
                let head = format!("`{}` {}", row.name, operands_of(row));
                let _ = writeln!(out, "| {:#04x} | {} | {} |", row.number, head.trim_end(), sentence(row));
            }
        }
        "details" => {
            for row in TABLE {
                let _ = writeln!(out, "### {}\n\n`{}`\n\n{}\n", row.name, layout(row), text(row));
                for (operand, kind, _) in row.operands {
                    let _ = writeln!(out, "- *{operand}*: {}", spelling(*kind).1);
                }
                if !row.operands.is_empty() {
                    out.push('\n');
                }
            }
        }
        "operands" => {
            out.push_str("| spelt | in the word |\n| --- | --- |\n");
            for kind in KINDS {
                let (spelt, means) = spelling(kind);
                let _ = writeln!(out, "| {spelt} | {means} |");
            }
        }
        other => panic!("the page has a part that nothing makes: {other}"),
    }
    format!("\n{}\n\n", out.trim_end())
}

/// The page with its generated parts as they ought to be.
fn renew(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- table: ") {
        let (name, after) = after.split_once(" -->\n").expect("the name of a part");
        let (_, after) = after.split_once(END).expect("the end of a part");
        out += &format!("{before}<!-- table: {name} -->\n{}{END}", part(name));
        rest = after;
    }
    out + rest
}

#[test]
fn the_manual_page_says_what_the_table_says() {
    let old = std::fs::read_to_string(page()).expect("docs/isa.md");
    let new = renew(&old);
    for name in ["format", "instructions", "details", "operands"] {
        assert!(old.contains(&format!("<!-- table: {name} -->")), "the page has lost its part `{name}`");
    }
    if bless() && old != new {
        std::fs::write(page(), new).expect("docs/isa.md");
    } else {
        assert!(old == new, "docs/isa.md is out of date: AIVM_BLESS=1 cargo test -p aivm-schema manual");
    }
}

#[test]
fn the_prose_knows_every_kind_there_is() {
    let page = std::fs::read_to_string(page()).expect("docs/isa.md");
    let row = |number: usize, word: &str| {
        let row = format!("| {number} | `{word}` |");
        assert!(page.contains(&row), "the page lacks the row {row}");
    };
    EdgeKind::ALL.into_iter().for_each(|kind| row(kind as usize, kind.word()));
    EndKind::ALL.into_iter().for_each(|kind| row(kind as usize, kind.word()));
    StageKind::ALL.into_iter().for_each(|kind| row(kind as usize, kind.word()));
}

#[test]
fn the_example_of_the_page_is_what_is_printed() {
    let page = std::fs::read_to_string(page()).expect("docs/isa.md");
    let (_, rest) = page.split_once("```asm\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let module = assemble(example).expect("the example is assembly");
    assert_eq!(disassemble(&module), example);
}

/// The table as one line a row, and the numbers that its operands stand for.
fn golden() -> String {
    let mut out = String::new();
    for row in TABLE {
        let _ = write!(out, "{:02x} {}", row.number, row.name);
        for (name, kind, slot) in row.operands {
            let (low, width) = slot.bits();
            let _ = write!(out, " {name}:{kind:?}@{low}+{width}");
        }
        out.push('\n');
    }
    EdgeKind::ALL.into_iter().for_each(|kind| out += &format!("edge {} {}\n", kind as u8, kind.word()));
    EndKind::ALL.into_iter().for_each(|kind| out += &format!("ending {} {}\n", kind as u8, kind.word()));
    StageKind::ALL.into_iter().for_each(|kind| out += &format!("stage {} {}\n", kind as u8, kind.word()));
    out += &format!("no counter {NO_COUNTER}\n");
    out
}

#[test]
fn a_row_changes_only_with_the_format() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/isa/format-{FORMAT}.txt"));
    if !path.exists() && bless() {
        std::fs::write(&path, golden()).expect("the text of the new version");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == golden(),
        "the instruction table is not that of format {FORMAT}. Modules of that format exist: raise `FORMAT`, and write \
         the text of the new one with AIVM_BLESS=1.\n--- format {FORMAT}\n{known}\n--- the table\n{}",
        golden()
    );
}

#[test]
fn a_number_is_given_once_and_fields_do_not_overlap() {
    for (at, row) in TABLE.iter().enumerate() {
        assert!(row.number > 0, "a word of zeros is no instruction");
        assert!(TABLE.iter().skip(at + 1).all(|other| other.number > row.number && other.name != row.name));
        let mut taken = 0u64;
        for (.., slot) in row.operands {
            let (low, width) = slot.bits();
            let bits = (u64::MAX >> (64 - width)) << low;
            assert_eq!(taken & bits, 0, "{}", row.name);
            taken |= bits;
        }
        assert!(!text(row).is_empty() && sentence(row).ends_with(['.', ':']), "{}: {}", row.name, sentence(row));
    }
}
