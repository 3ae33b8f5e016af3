//! `doctor`: does everything work here? Each line is something tried, not something believed.

use crate::args::Global;
use crate::fail::{Exit, Failure};
use crate::project;
use aivm_host::work::sandbox::{Means, Sandbox, Wanted};
use serde_json::json;

/// Something that was tried.
struct Tried {
    what: &'static str,
    result: Result<String, String>,
}

/// `aivm doctor`.
pub fn doctor(global: &Global) -> Result<Exit, Failure> {
    let tried = [
        Tried {
            what: "version",
            result: Ok(format!("aivm {}, module format {}", env!("CARGO_PKG_VERSION"), aivm_schema::isa::FORMAT)),
        },
        Tried { what: "store", result: store() },
        Tried { what: "memory", result: memory() },
        Tried { what: "shell", result: shell() },
        Tried { what: "sandbox", result: sandbox() },
        Tried { what: "threads", result: threads() },
        Tried { what: "standard library", result: library() },
        Tried {
            what: "keys",
            result: crate::keys::keyring()
                .map(|keyring| format!("{} trusted", keyring.entries().count()))
                .map_err(|failure| failure.message()),
        },
    ];
    let failed = tried.iter().filter(|tried| tried.result.is_err()).count();
    if global.json {
        let rows: Vec<_> = tried
            .iter()
            .map(|Tried { what, result }| json!({"what": what, "ok": result.is_ok(), "text": result.as_ref().unwrap_or_else(|error| error)}))
            .collect();
        println!("{}", json!({"v": 1, "ok": failed == 0, "tried": rows}));
    } else {
        for Tried { what, result } in &tried {
            match result {
                Ok(text) => println!("ok    {what}: {text}"),
                Err(text) => println!("FAIL  {what}: {text}"),
            }
        }
    }
    Ok(if failed == 0 { Exit::SENT } else { Exit::FAILED })
}

/// Opens the store, when there is one; then writes and reads an artifact in one of its own, on the same disk.
#[cfg(feature = "store")]
fn store() -> Result<String, String> {
    use aivm_host::mint::Mint;
    use aivm_host::store::disk::Disk;
    use aivm_host::store::values::{Listing, Values};
    let state = project::state_folder();
    let beside = state.parent().unwrap_or(&state).join(format!(".aivm-doctor-{}", std::process::id()));
    let attempt = || -> Result<(), String> {
        if state.symlink_metadata().is_ok() {
            let first = Listing { most: 1, ..Listing::default() };
            Disk::open(&state).and_then(|disk| disk.list(&first)).map_err(|e| e.to_string())?;
        }
        let mint = Mint::system().map_err(|e| e.to_string())?;
        let draft = aivm_schema::artifact::Draft {
            media_type: "text/plain".into(),
            payload: b"doctor".to_vec(),
            ..Default::default()
        };
        let artifact = mint.seal(draft).map_err(|e| e.to_string())?;
        let disk = Disk::open(&beside).map_err(|e| e.to_string())?;
        disk.put(&artifact).map_err(|e| e.to_string())?;
        match disk.find(artifact.checksum()) {
            Ok(Some(found)) if found == artifact => Ok(()),
            other => Err(format!("what was written did not come back: {other:?}")),
        }
    };
    let result = attempt();
    let _ = std::fs::remove_dir_all(&beside);
    result.map(|()| format!("{} can be written and read", state.display()))
}

#[cfg(not(feature = "store"))]
fn store() -> Result<String, String> {
    let _ = project::state_folder();
    Ok("built without one: runs are kept in memory only".into())
}

/// Looks into what is remembered, when something is; then remembers something in a memory that is gone afterwards, and finds it.
#[cfg(feature = "memory")]
fn memory() -> Result<String, String> {
    use aivm_host::memory::{Filter, Memory, Note, Place};
    let project = crate::config::Project::of_the_store().map_err(|failure| failure.message())?;
    let memory = crate::config::memory::of(&project).map_err(|failure| failure.message())?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let attempt = async {
        let places = memory.places().await?;
        let note = Note { id: "doctor".into(), text: "does it work?".into(), ..Note::default() };
        let own = Memory::default();
        own.remember(&Place::Global, "", note).await?;
        Ok::<_, aivm_host::memory::MemoryError>((
            places,
            own.recall(&Place::Global, "", "does it work?", &Filter::All, 1).await?,
        ))
    };
    let (places, hits) = runtime.block_on(attempt).map_err(|error| error.to_string())?;
    match hits.first() {
        Some(hit) if hit.note.id == "doctor" => {
            Ok(format!("in use by {}, embedded by {}", places.len(), project.memory.embedder))
        }
        _ => Err("what was remembered was not found".to_owned()),
    }
}

#[cfg(not(feature = "memory"))]
fn memory() -> Result<String, String> {
    Ok("built without one".into())
}

fn shell() -> Result<String, String> {
    let output = std::process::Command::new("sh")
        .args(["-c", "echo fine"])
        .output()
        .map_err(|e| format!("`sh` cannot be run: {e}"))?;
    if output.stdout == b"fine\n" { Ok("commands can be run".into()) } else { Err("`sh` does not answer".into()) }
}

/// By what commands are held here, as they would be by `aivm run`.
fn sandbox() -> Result<String, String> {
    let sandbox = crate::config::sandbox(None).map_err(|failure| failure.message())?;
    let bubble = || Sandbox { wanted: Wanted::Bwrap, launcher: sandbox.launcher.clone(), ..Sandbox::default() };
    Ok(match sandbox.means()? {
        Means::Bubble { program, .. } => format!("commands are held by {}", program.display()),
        Means::Land => match bubble().means() {
            Err(reason) => format!("commands are held by Landlock: {reason}"),
            Ok(_) => "commands are held by Landlock, as settings say".into(),
        },
        Means::None if sandbox.launcher.is_none() => "commands are not held: this system has nothing for it".into(),
        Means::None => "commands are not held, as settings say".into(),
    })
}

fn threads() -> Result<String, String> {
    let pool = aivm_host::pool::Pool::of_machine().map_err(|e| e.to_string())?;
    let (done, finished) = std::sync::mpsc::channel();
    pool.run(Box::new(move || {
        let _ = done.send(());
    }));
    finished.recv_timeout(std::time::Duration::from_secs(10)).map_err(|e| e.to_string())?;
    Ok(format!("{} cores", std::thread::available_parallelism().map_or(1, usize::from)))
}

fn library() -> Result<String, String> {
    let mut words = 0;
    for word in aivm_host::stdlib::names() {
        let page = aivm_host::stdlib::page(word).unwrap_or("");
        aivm_schema::worker::WorkerDefinition::from_markdown(page).map_err(|e| format!("`{word}`: {e}"))?;
        words += 1;
    }
    Ok(format!("{words} words"))
}
