//! What may happen to the file.

use crate::common::{edge, note};
use aivm_host::memory::{Filter, Memory, Place};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const FOLDER: &str = "AIVM_TEST_MEMORY_FOLDER";
const NAME: &str = "AIVM_TEST_MEMORY_NAME";

fn open(folder: &Path) -> Memory {
    Memory::at(folder, Default::default())
}

/// Not a test: what the processes do that others start.
#[tokio::test]
async fn a_process_that_remembers() {
    let (Ok(folder), Ok(name)) = (std::env::var(FOLDER), std::env::var(NAME)) else { return };
    let memory = open(Path::new(&folder));
    for number in 0..60 {
        let id = format!("{name}{number}");
        let text = format!("note {number} of {name}. ").repeat(60);
        memory.remember(&Place::Global, "", note(&id, &text)).await.unwrap();
        memory.relate(&Place::Global, edge(&id, "of", &name)).await.unwrap();
        println!("\ndone {id}");
    }
}

fn process(folder: &Path, name: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "survives::a_process_that_remembers", "--nocapture"])
        .env(FOLDER, folder)
        .env(NAME, name)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn holds(folder: &Path, ids: &[String]) {
    let memory = open(folder);
    for id in ids {
        assert!(memory.note(&Place::Global, "", id).await.unwrap().is_some(), "{id} is lost");
        assert_eq!(
            memory.neighbours(&Place::Global, id, None, 1, 9).await.unwrap().len(),
            1,
            "the edge of {id} is lost"
        );
    }
    let database = rusqlite::Connection::open(folder.join("memory.db")).unwrap();
    let check: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let parts = "SELECT (SELECT sum(size) FROM space), (SELECT count(*) FROM part), (SELECT count(*) FROM exact)";
    let counts: (i64, i64, i64) =
        database.query_row(parts, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert!(counts.0 == counts.1 && counts.1 == counts.2, "{counts:?}");
}

#[tokio::test]
async fn two_processes_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut processes = [process(folder.path(), "a"), process(folder.path(), "b")];
    for process in &mut processes {
        assert!(process.wait().unwrap().success());
    }
    let ids: Vec<String> = ["a", "b"].iter().flat_map(|name| (0..60).map(move |n| format!("{name}{n}"))).collect();
    holds(folder.path(), &ids).await;
    let hits = open(folder.path()).recall(&Place::Global, "", "note 33 of b.", &Filter::All, 1).await.unwrap();
    assert!(hits[0].note.id.starts_with("b33"), "{}", hits[0].note.id);
}

#[tokio::test]
async fn whoever_is_killed_loses_nothing_that_was_answered() {
    for after in [1, 7, 20] {
        let folder = tempfile::tempdir().unwrap();
        let mut process = process(folder.path(), "k");
        let mut done = Vec::new();
        for line in BufReader::new(process.stdout.take().unwrap()).lines() {
            if let Some(id) = line.unwrap().strip_prefix("done ") {
                done.push(id.to_owned());
            }
            if done.len() == after {
                break;
            }
        }
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(done.len(), after);
        holds(folder.path(), &done).await;
        open(folder.path()).remember(&Place::Global, "", note("after", "it goes on")).await.unwrap();
    }
}

#[tokio::test]
async fn a_damaged_file_is_an_error() {
    let whole = tempfile::tempdir().unwrap();
    let memory = open(whole.path());
    for number in 0..40 {
        memory.remember(&Place::Global, "", note(&number.to_string(), &"a text. ".repeat(500))).await.unwrap();
    }
    drop(memory);
    let database = rusqlite::Connection::open(whole.path().join("memory.db")).unwrap();
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE").unwrap();
    drop(database);
    let bytes = std::fs::read(whole.path().join("memory.db")).unwrap();
    let page = 16_384;
    let ask = async |bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("memory.db"), bytes).unwrap();
        let memory = open(folder.path());
        let recalled = memory.recall(&Place::Global, "", "a text", &Filter::All, 9).await;
        let remembered = memory.remember(&Place::Global, "", note("new", "a text")).await;
        (recalled.err(), remembered.err())
    };
    assert_eq!(ask(&bytes).await, (None, None));
    let mut found = 0;
    for at in 0..bytes.len() / page {
        let mut damaged = bytes.clone();
        damaged[at * page..(at + 1) * page].fill(0xa5);
        let (recalled, remembered) = ask(&damaged).await;
        for error in [recalled, remembered].into_iter().flatten() {
            assert_eq!(error.code(), "E0987", "page {at}: {error}");
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
    let (recalled, _) = ask(b"this is no database, but a text that is long enough to be looked at").await;
    assert_eq!(recalled.unwrap().code(), "E0987");
    assert_eq!(ask(&bytes[..bytes.len() / 3]).await.1.unwrap().code(), "E0987");
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    for batch in ["CREATE TABLE x (y)", "PRAGMA application_id = 1634301549; PRAGMA user_version = 99"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(batch).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = open(folder.path()).remember(&Place::Global, "", note("a", "b")).await.unwrap_err();
        assert_eq!(error.code(), "E0987", "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("memory.db")).unwrap();
    let error = open(folder.path()).remember(&Place::Global, "", note("a", "b")).await.unwrap_err();
    assert_eq!(error.code(), "E0986", "{error}");
}

#[tokio::test]
async fn where_nobody_may_write_it_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).remember(&Place::Global, "", note("a", "a text")).await.unwrap();
    let may = |mode: u32, file: u32| {
        let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        set(&folder.path().join("memory.db"), file);
        set(folder.path(), mode);
    };
    may(0o500, 0o400);
    if std::fs::write(folder.path().join("x"), "x").is_ok() {
        eprintln!("skipped: this user may write everywhere");
        return may(0o700, 0o600);
    }
    let memory = open(folder.path());
    let recalled = memory.recall(&Place::Global, "", "text", &Filter::All, 9).await;
    let error = memory.remember(&Place::Global, "", note("b", "text")).await.unwrap_err();
    may(0o700, 0o600);
    assert_eq!(recalled.unwrap().len(), 1);
    assert_eq!(error.code(), "E0986", "{error}");
}
