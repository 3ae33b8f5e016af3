//! Laws of the module's two spellings, over modules that make little sense but can be written down.

use super::*;
use crate::isa::{Instruction, TABLE};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Names as programs have them, and names that want quotes.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-c]", 2 => "[a-z][a-z0-9.-]{0,6}", 1 => "c[0-9]", 1 => "\\PC{0,6}", 1 => any::<String>(), 1 => "#[0-9]"]
}

/// Numbers that mostly name a row, and sometimes none.
fn rows() -> impl Strategy<Value = u16> {
    prop_oneof![8 => 0..6u16, 1 => 0..u16::MAX]
}

fn amounts() -> impl Strategy<Value = Option<u64>> {
    option::of(prop_oneof![0..10u64, Just(1_000), Just(60_000), 0..u64::MAX])
}

fn words_of_code() -> impl Strategy<Value = u64> {
    let instruction = (0..TABLE.len(), any::<u8>(), rows(), rows(), rows()).prop_map(|(row, flags, a, b, c)| {
        // What a row does not use must be zero, or the word is no instruction.
        TABLE[row].operands.iter().fold(u64::from(TABLE[row].number) << 56, |word, (name, _, slot)| {
            let value = match slot {
                crate::isa::Slot::Flags if *name == "kind" || *name == "kinds" => flags % 8,
                crate::isa::Slot::Flags => flags % 2,
                _ => 0,
            };
            let value = match slot {
                crate::isa::Slot::Flags => value.into(),
                crate::isa::Slot::A => a.into(),
                crate::isa::Slot::B => b.into(),
                _ => c.into(),
            };
            slot.put(word, value)
        })
    });
    prop_oneof![9 => instruction, 1 => any::<u64>()]
}

fn targets() -> impl Strategy<Value = StepTarget> {
    prop_oneof![
        rows().prop_map(|row| StepTarget::Worker(WorkerId(row))),
        rows().prop_map(|row| StepTarget::Function(FunctionId(row)))
    ]
}

fn word_lists() -> impl Strategy<Value = Vec<WordId>> {
    vec(rows().prop_map(WordId), 0..3)
}

fn stages() -> impl Strategy<Value = Stage> {
    let handler = (1..=255u8, option::of(rows().prop_map(CounterId)), 0..40u32)
        .prop_map(|(kinds, counter, target)| Handler { kinds: KindSet(kinds), counter, target });
    let kind = prop::sample::select(StageKind::ALL.to_vec());
    let registers = || option::of(rows().prop_map(RegisterId));
    let first = (
        names(),
        kind,
        option::of(rows().prop_map(StageId)),
        amounts(),
        amounts(),
        amounts(),
        registers(),
        registers(),
    );
    let second = ((rows(), rows()), option::of(handler), option::of(rows().prop_map(WorkerId)), word_lists());
    (first, second).prop_map(
        |((key, kind, around, deadline_ms, money, tokens, input, output), (counters, handler, chooser, names))| Stage {
            key,
            kind,
            around,
            deadline_ms,
            money,
            tokens,
            input,
            output,
            counters,
            handler,
            chooser,
            names,
        },
    )
}

fn steps() -> impl Strategy<Value = Step> {
    let registers = || option::of(rows().prop_map(RegisterId));
    let first = (names(), rows().prop_map(StageId), targets(), vec(rows(), 0..3), amounts(), amounts(), amounts());
    (first, (registers(), registers(), option::of(targets()), word_lists())).prop_map(
        |((name, stage, target, behaviours, deadline_ms, money, tokens), (input, output, undo, verdicts))| Step {
            name,
            stage,
            target,
            behaviours,
            deadline_ms,
            money,
            tokens,
            input,
            output,
            undo,
            verdicts,
        },
    )
}

fn functions() -> impl Strategy<Value = Function> {
    let span = || (rows(), rows());
    let pc = || prop_oneof![9 => 0..40u32, 1 => any::<u32>()];
    (names(), pc(), pc(), span(), span(), any::<u16>(), vec(any::<u16>(), 0..4), word_lists()).prop_map(
        |(name, entry, end, stages, steps, registers, counters, verdicts)| Function {
            name,
            entry,
            end,
            stages,
            steps,
            registers,
            counters,
            verdicts,
        },
    )
}

fn modules() -> impl Strategy<Value = Module> {
    let definition = || prop_oneof![3 => "\\{\"[a-z]\":\"[a-z{};,\\\\]{0,5}\"\\}", 1 => any::<String>()];
    let worker = (names(), definition(), amounts(), amounts()).prop_map(|(name, definition, money, tokens)| Worker {
        name,
        definition,
        money,
        tokens,
    });
    let behaviour = (names(), definition()).prop_map(|(name, definition)| Behaviour { name, definition });
    let param = (names(), definition()).prop_map(|(name, definition)| Param { name, definition });
    let limits =
        (amounts(), amounts(), amounts()).prop_map(|(calls, money, tokens)| RunLimits { calls, money, tokens });
    (
        vec(words_of_code(), 0..40),
        vec(names(), 0..6),
        vec(functions(), 0..4),
        vec(stages(), 0..6),
        vec(steps(), 0..6),
        vec(worker, 0..4),
        vec(behaviour, 0..3),
        (limits, vec(param, 0..3), proptest::option::of((1..u32::MAX).prop_map(|most| NonZeroU32::new(most).unwrap()))),
    )
        .prop_map(|(code, words, functions, stages, steps, workers, behaviours, (limits, params, concurrent))| {
            Module { code, words, functions, stages, steps, workers, behaviours, limits, params, concurrent }
        })
}

/// A module whose texts Cap'n Proto can hold: text there has no NUL.
fn without_nul(mut module: Module) -> Module {
    let texts = module.words.iter_mut();
    let texts = texts.chain(module.functions.iter_mut().map(|function| &mut function.name));
    let texts = texts.chain(module.stages.iter_mut().map(|stage| &mut stage.key));
    let texts = texts.chain(module.steps.iter_mut().map(|step| &mut step.name));
    let texts = texts.chain(module.workers.iter_mut().flat_map(|worker| [&mut worker.name, &mut worker.definition]));
    let texts = texts.chain(module.behaviours.iter_mut().flat_map(|row| [&mut row.name, &mut row.definition]));
    let texts = texts.chain(module.params.iter_mut().flat_map(|row| [&mut row.name, &mut row.definition]));
    texts.for_each(|text| text.retain(|c| c != '\0'));
    module
}

proptest! {
    #[test]
    fn what_is_disassembled_assembles_to_the_same(module in modules()) {
        let text = disassemble(&module);
        match assemble(&text) {
            Ok(again) => prop_assert_eq!(again, module, "{}", text),
            Err(errors) => prop_assert!(false, "{:?}\n{}", errors, text),
        }
    }

    #[test]
    fn what_is_written_is_read(module in modules()) {
        let module = without_nul(module);
        let bytes = module.to_bytes();
        prop_assert_eq!(Module::from_bytes(&bytes), Ok(module));
    }

    #[test]
    fn a_changed_bit_is_refused_or_says_another_module(module in modules(), bit in any::<prop::sample::Index>()) {
        let module = without_nul(module);
        let mut bytes = module.to_bytes();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = Module::from_bytes(&bytes) {
            prop_assert_ne!(&other, &module);
            prop_assert_eq!(other.to_bytes(), bytes);
            let text = disassemble(&other);
            prop_assert_eq!(assemble(&text), Ok(other));
        }
    }

    #[test]
    fn what_is_cut_short_is_refused(module in modules(), at in any::<prop::sample::Index>()) {
        let bytes = without_nul(module).to_bytes();
        prop_assert!(Module::from_bytes(&bytes[..at.index(bytes.len())]).is_err());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(prop_oneof![3 => Just(0u8), 2 => 0..8u8, 1 => any::<u8>()], 0..400)) {
        if let Ok(module) = Module::from_bytes(&bytes) {
            prop_assert_eq!(module.to_bytes(), bytes);
        }
    }

    #[test]
    fn no_text_stops_the_assembler(text in "(\\PC{0,20}|[a-z ]{0,10}|words|stage|step|in|edge|enter|\"|\\{|\n|,|#|L1:|@|\\+){0,20}") {
        let _ = assemble(&text);
    }
}

#[test]
fn every_instruction_has_one_word() {
    for row in TABLE {
        let word = row.operands.iter().fold(u64::from(row.number) << 56, |word, (_, _, slot)| slot.put(word, 1));
        let instruction = Instruction::decode(word).unwrap_or_else(|| panic!("{}", row.name));
        assert_eq!(instruction.encode(), word, "{}", row.name);
        assert_eq!(instruction.number(), row.number);
        let free = (0..56).filter(|bit| row.operands.iter().all(|(_, _, slot)| slot.of(1 << bit) == 0));
        for bit in free {
            assert_eq!(Instruction::decode(word | 1 << bit), None, "{}: bit {bit} is not used", row.name);
        }
    }
}

#[test]
fn rows_that_say_nothing_are_rows() {
    let debug = Debug { stages: vec![(0, 0, 0); 1_000], ..Debug::default() };
    assert_eq!(Debug::from_bytes(&debug.to_bytes()), Ok(debug));
    let module = Module { functions: vec![Function::default(); 1_000], ..Module::default() };
    assert_eq!(Module::from_bytes(&module.to_bytes()), Ok(module));
}

#[test]
fn of_many_errors_of_the_assembler_the_first_are_told() {
    let errors = assemble(&"jump L\nnothing\n".repeat(20_000)).unwrap_err();
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, (1..=100).collect::<Vec<_>>());
}

#[test]
fn an_error_of_the_assembler_cannot_steer_the_terminal() {
    let errors = assemble("\x1b[2J\n\"\\u{1b}\" x").unwrap_err();
    assert_eq!(errors[0].to_string(), "1: `\\u{1b}[2J` is neither a keyword nor an instruction");
    assert!(errors.iter().all(|error| !error.to_string().contains(char::is_control)), "{errors:?}");
}

#[test]
fn a_handler_of_nothing_cannot_be_written() {
    let text = include_str!("../../../tests/asm/deadline.asm");
    assert!(assemble(text).is_ok());
    let errors = assemble(&text.replace("handler timeout", "handler -")).unwrap_err();
    assert!(errors[0].to_string().ends_with("a handler catches at least one kind of ending"), "{errors:?}");
}
