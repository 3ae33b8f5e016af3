//! Laws of modules, over every program of the reference and both sketches: bytes and assembly text say the same module.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use aivm_schema::module::{self, Module, assemble, disassemble};
use aivm_vm::verify::verify;
use std::path::Path;

fn modules() -> Vec<(String, Module)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<_> =
        std::fs::read_dir(root.join("tests/spec")).expect("the pages").flatten().map(|entry| entry.path()).collect();
    pages.sort();
    let mut modules = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).expect("a page");
        for fence in common::fences(&text).into_iter().filter(|fence| fence.kind == "aivm") {
            if let Ok(compiled) = aivm_lang::compile("page.aivm", &fence.text, &common::Words) {
                modules.push((format!("{} line {}", page.display(), fence.line), compiled.module));
            }
        }
    }
    assert!(modules.len() > 40);
    modules
}

#[test]
fn what_the_compiler_emits_is_verified_and_survives_its_bytes() {
    for (name, module) in modules() {
        let bytes = module.to_bytes();
        assert_eq!(Module::from_bytes(&bytes), Ok(module.clone()), "{name}");
        if let Err(error) = verify(module) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn assembly_text_says_the_same_module() {
    for (name, module) in modules() {
        let text = disassemble(&module);
        assert_eq!(assemble(&text), Ok(module), "{name}\n{text}");
    }
}

#[test]
fn no_damage_to_a_module_is_a_surprise() {
    let (_, module) = modules().into_iter().max_by_key(|(_, module)| module.code.len()).expect("one");
    let bytes = module.to_bytes();
    for length in 0..bytes.len() {
        assert!(Module::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let (mut refused, mut other) = (0, 0);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        // A flipped bit may still be a program, another one: an artifact's checksum tells, the module alone cannot.
        match Module::from_bytes(&damaged).map_err(|_| ()).and_then(|module| verify(module).map_err(|_| ())) {
            Ok(_) => other += 1,
            Err(()) => refused += 1,
        }
    }
    assert!(refused > other, "{refused} refused, {other} still a program");
    let drafts = module::drafts(&module, &module::Debug::default());
    let file: Vec<u8> =
        drafts.into_iter().flat_map(|draft| draft.seal(1_000_000, [1; 10]).expect("an artifact").to_framed()).collect();
    let first = 8 + u32::from_le_bytes(file[4..8].try_into().expect("four bytes")) as usize * 8;
    for bit in 0..first * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(module::load(&damaged).is_err(), "bit {bit} of the module's artifact");
    }
}
