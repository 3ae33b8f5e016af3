//! Files that an earlier program wrote: a module of each format, an artifact of each version. They are never written anew; this
//! program must read them as long as it says that it can. What they say stands beside them as text.
//!
//! `AIVM_BLESS=1` writes what is not there yet: after `FORMAT` or `VERSION` was raised.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod common;

use aivm_schema::artifact::{Artifact, Draft, VERSION, json, key};
use aivm_schema::isa::FORMAT;
use aivm_schema::keys::{Keyring, SecretKey, Trust};
use aivm_schema::module::{assemble, disassemble, drafts, load};
use aivm_vm::verify::verify;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(file(name)).unwrap_or_else(|error| panic!("tests/golden/{name}: {error}"))
}

/// A file that was written once, and is written when it was never.
fn once(name: &str, make: impl FnOnce() -> Vec<u8>) -> Vec<u8> {
    if !file(name).exists() && std::env::var_os("AIVM_BLESS").is_some() {
        std::fs::write(file(name), make()).expect("a file");
    }
    read(name)
}

fn text(name: &str, make: impl FnOnce() -> String) -> String {
    String::from_utf8(once(name, || make().into_bytes())).expect("text")
}

/// The second program of the sketch, compiled.
fn compiled() -> Vec<u8> {
    let source = String::from_utf8(read("../../examples/sketch-2/pipeline.aivm")).expect("text");
    let compiled = aivm_lang::compile("pipeline.aivm", &source, &common::Words).expect("it compiles");
    let seal = |draft: Draft| draft.seal(1_700_000_000_123_456_789, [7; 10]).expect("an artifact").to_framed();
    drafts(&compiled.module, &compiled.debug).into_iter().flat_map(seal).collect()
}

fn formats() -> impl Iterator<Item = String> {
    (1..=FORMAT).map(|format| format!("format-{format}"))
}

#[test]
fn modules_of_every_format_are_read_verified_and_shown() {
    for name in formats() {
        let bytes = once(&format!("{name}.aivmc"), compiled);
        let (module, debug) = load(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let debug = debug.expect("debug information");
        assert_eq!((debug.stages.len(), debug.steps.len()), (module.stages.len(), module.steps.len()));
        let shown = text(&format!("{name}.asm"), || disassemble(&module));
        assert_eq!(disassemble(&module), shown, "{name}");
        assert_eq!(assemble(&shown).as_ref(), Ok(&module), "{name}");
        let (artifact, _) = Artifact::from_framed(&bytes).expect("an artifact");
        assert_eq!(module.to_bytes(), artifact.payload(), "{name} is written in another way");
        verify(module).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn modules_of_every_format_run_as_they_did() {
    for name in formats() {
        let _ = once(&format!("{name}.aivmc"), compiled);
        let module = file(&format!("{name}.aivmc"));
        let args = ["run", module.to_str().expect("a path"), "--in", "orders and customers", "--ephemeral", "--json"];
        let output = Command::new(env!("CARGO_BIN_EXE_aivm")).args(args).output().expect("aivm runs");
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let step =
            |step: &Value| format!("{} → {}\n", step["key"].as_str().unwrap(), step["outcome"].as_str().unwrap());
        let mut steps: Vec<String> = report["steps"].as_array().expect("steps").iter().map(step).collect();
        // What is concurrent may end in any order.
        steps.sort();
        let happened = format!("{}\n\n{}", report["status"].as_str().unwrap(), steps.concat());
        assert_eq!(happened, text(&format!("{name}.txt"), || happened.clone()), "{name}");
    }
}

#[test]
fn artifacts_of_every_version_are_read_and_their_signatures_hold() {
    let secret = SecretKey::from_random([9; 32]);
    let mut keyring = Keyring::default();
    keyring.trust("golden", secret.public()).expect("a key");
    assert_eq!(text("keyring", || keyring.to_file()), keyring.to_file());
    let draft = Draft {
        media_type: "text/markdown".into(),
        origin: "worker/größe".into(),
        role: "step".into(),
        scope: "run".into(),
        attributes: vec![("run".into(), "r1".into()), ("step".into(), "draft/write#2".into())],
        payload: "# Größe\n\nHello, world!\n".into(),
    };
    let sign = || secret.sign(&draft.clone().seal(1_700_000_000_123_456_789, [7; 10]).expect("an artifact"));
    // One for each version; a new version adds a line here.
    for version in ["v0.0.1"] {
        let bytes = once(&format!("{version}.artifact"), || sign().to_framed());
        let (artifact, rest) = Artifact::from_framed(&bytes).unwrap_or_else(|error| panic!("{version}: {error}"));
        assert!(rest.is_empty());
        assert_eq!((artifact.version(), artifact.to_framed()), (version, bytes.clone()));
        assert_eq!(keyring.verify(&artifact), Trust::Trusted("golden".into()));
        let pretty = |artifact: &Artifact| format!("{:#}\n", json::to_json(artifact));
        let shown = text(&format!("{version}.json"), || pretty(&artifact));
        assert_eq!(pretty(&artifact), shown);
        assert_eq!(json::from_json(&serde_json::from_str(&shown).expect("JSON")).as_ref(), Ok(&artifact));
        let place = text(&format!("{version}.key"), || key::encode(&artifact, key::Form::Binary) + "\n");
        assert_eq!(key::encode(&artifact, key::Form::Binary), place.trim_end());
        // A bit flipped anywhere is seen: by the door, or by the signature.
        for bit in 0..artifact.bytes().len() * 8 {
            let mut damaged = artifact.bytes().to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let trusted = Artifact::from_bytes(&damaged).is_ok_and(|other| keyring.verify(&other) != Trust::Invalid);
            assert!(!trusted, "{version}: bit {bit}");
        }
    }
    assert_eq!(VERSION, "v0.0.1", "a new version has a file of its own");
}
