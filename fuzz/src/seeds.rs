//! Writes the seed corpora: every program of the examples and the reference, what they compile to, and artifacts of all sorts.
//! `seeds FOLDER` makes `FOLDER/TARGET/…`, a file each, named by its content.

// For the symbols that instrumented code asks for.
use libfuzzer_sys as _;

use aivm_fuzz::shelf;
use aivm_schema::artifact::{Artifact, ContentDigest, Draft, json, parts};
use aivm_schema::keys::SecretKey;
use aivm_schema::module::{assemble, disassemble, drafts};
use std::path::{Path, PathBuf};

/// All files below a folder with this extension.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| self::files(folder, extension));
    files.into_iter().filter(|path| path.extension().is_some_and(|e| e == extension)).chain(below).collect()
}

/// The programs on a Markdown page.
fn on_page(page: &str) -> impl Iterator<Item = &str> {
    page.split("```aivm").skip(1).filter_map(|rest| Some(rest.split_once('\n')?.1.split_once("```")?.0))
}

struct Corpus(PathBuf);

impl Corpus {
    fn add(&self, target: &str, seed: &[u8]) {
        let folder = self.0.join(target);
        let name = ContentDigest::of(target, seed).to_string();
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(&name[..16]), seed)).expect("a seed");
    }

    fn add_artifact(&self, artifact: &Artifact) {
        self.add("artifact_boundary", artifact.bytes());
        self.add("artifact_boundary", &artifact.to_framed());
        self.add("artifact_boundary", json::to_json(artifact).to_string().as_bytes());
    }
}

fn main() {
    let corpus = Corpus(std::env::args_os().nth(1).expect("a folder").into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a text");
    let mut programs: Vec<String> = files(&root.join("examples"), "aivm").iter().map(read).collect();
    programs.extend(files(&root.join("tests/golden"), "aivm").iter().map(read));
    for folder in ["tests/spec", "docs"] {
        for page in files(&root.join(folder), "md").iter().map(read) {
            programs.extend(on_page(&page).map(str::to_owned));
        }
    }
    for program in &programs {
        corpus.add("lex_parse", program.as_bytes());
        corpus.add("fmt", program.as_bytes());
        let middle = (program.len() as u16 / 2).to_le_bytes();
        corpus.add("service", &[&middle, program.as_bytes()].concat());
        let Ok(compiled) = aivm_lang::compile("p.aivm", program, &shelf("")) else { continue };
        corpus.add("module_load", &compiled.module.to_bytes());
        corpus.add("module_load", disassemble(&compiled.module).as_bytes());
        let [_, debug] = drafts(&compiled.module, &compiled.debug);
        corpus.add("module_load", &debug.payload);
    }
    for (number, text) in files(&root.join("tests/asm"), "asm").iter().map(read).enumerate() {
        assert!(assemble(&text).is_ok());
        corpus.add("module_load", text.as_bytes());
        // The program as it is, then bytes that decide what is changed and what is answered.
        for noise in [0u8, 85, 170, 255] {
            let mut seed = vec![number as u8, noise % 13];
            seed.extend((0..160u8).map(|at| at.wrapping_mul(noise | 1)));
            corpus.add("verify_run", &seed);
        }
    }
    let list = [("a", ""), ("b", "good")].map(|(name, verdict)| parts::Part {
        name: name.into(),
        artifact: aivm_schema::artifact::Checksum([7; 32]),
        verdict: verdict.into(),
    });
    corpus.add("artifact_boundary", &parts::encode(&list));
    for payload in [&b""[..], b"hello", &[0xff; 9]] {
        let mut draft = Draft { media_type: "text/plain".into(), payload: payload.into(), ..Draft::default() };
        corpus.add_artifact(&draft.clone().seal(0, [0; 10]).expect("an artifact"));
        draft.set("run", "1");
        draft.set("step", "a/b#1");
        let artifact = draft.seal(1_700_000_000_123_456_789, [7; 10]).expect("an artifact");
        corpus.add_artifact(&artifact);
        corpus.add_artifact(&SecretKey::from_random([9; 32]).sign(&artifact));
    }
}
