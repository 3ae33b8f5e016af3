//! What the store promises, over a real folder.

use super::*;
use crate::store::values::{Entry, Listing, Values};
use crate::store::{RunRow, Store};
use aivm_schema::artifact::Draft;
use aivm_schema::journal::{Body, Link, Record};
use aivm_vm::run::{Batch, Status};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

mod values;

fn artifact(payload: Vec<u8>, nth: u8) -> Artifact {
    let draft = Draft {
        media_type: "text/plain".into(),
        origin: "w".into(),
        role: "step".into(),
        scope: "run".into(),
        payload,
        ..Draft::default()
    };
    draft.seal(1_000_000 * u64::from(nth), [nth; 10]).expect("valid")
}

/// By key, and by checksum.
fn list(disk: &Disk, prefix: &str, most: usize) -> Result<Vec<Entry>, StoreError> {
    let named = disk.starting(prefix, most).unwrap_or_default();
    let listed = disk.list(&Listing { prefix: prefix.to_owned(), most, ..Listing::default() })?;
    Ok(if prefix.is_empty() || !listed.is_empty() { listed } else { named })
}

fn row(id: &str) -> RunRow {
    let module = artifact(b"m".to_vec(), 9).checksum();
    RunRow { id: id.into(), started: 1, status: String::new(), program: "p.aivm".into(), module, quarantine: None }
}

/// A run that writes batches.
struct Writing {
    kept: Kept,
    seq: u64,
    link: Link,
}

impl Writing {
    fn new(disk: &Disk, id: &str) -> Writing {
        let kept = disk.keep();
        kept.begin(row(id)).expect("begins");
        Writing { kept, seq: 0, link: Link::default() }
    }

    fn batch(&mut self, bodies: Vec<Body>, status: Status) -> Batch {
        let first = self.seq + 1;
        let record = |body| Record { at: 1, yields: 0, together: false, body }.to_bytes();
        let records: Vec<Vec<u8>> = bodies.into_iter().map(record).collect();
        for record in &records {
            self.seq += 1;
            self.link = self.link.then(self.seq, record);
        }
        Batch { first, records, head: self.link, status }
    }

    fn write(&mut self, bodies: Vec<Body>) -> Result<(), StoreError> {
        let batch = self.batch(bodies, Status::Running);
        wait(self.kept.append(batch))
    }
}

fn unknown(request: u64) -> Body {
    Body::Unknown { request }
}

/// Until it is ready; the writer's thread goes on meanwhile.
fn wait<F: Future + Unpin>(mut future: F) -> F::Output {
    loop {
        match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::yield_now(),
        }
    }
}

fn read(mut journal: Journal) -> Result<Vec<u64>, StoreError> {
    let mut all = Vec::new();
    while let Some((seq, bytes)) = journal.record()? {
        Record::from_bytes(&bytes).expect("a record");
        all.push(seq);
    }
    Ok(all)
}

fn store() -> (tempfile::TempDir, Disk) {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::open(folder.path()).expect("opens");
    (folder, disk)
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder.join("objects")).expect("there").count()
}

#[test]
fn small_and_large_artifacts_come_back() {
    let (folder, disk) = store();
    let (small, large, same) =
        (artifact(b"x".to_vec(), 1), artifact(vec![7; 200_000], 2), artifact(vec![7; 200_000], 3));
    for artifact in [&small, &large, &same] {
        disk.put(artifact).expect("is written");
    }
    let disk = Disk::open(folder.path()).expect("opens again");
    for artifact in [&small, &large, &same] {
        assert_eq!(disk.get(artifact.checksum()).as_ref(), Some(artifact));
    }
    assert_eq!(list(&disk, "w/step/run/1000000/", 10).expect("lists").len(), 1);
    assert_eq!(list(&disk, "", 10).expect("lists").len(), 3);
    let name = small.checksum().to_string();
    assert_eq!(list(&disk, &name[..7], 10).expect("lists").len(), 1);
    assert_eq!(list(&disk, &format!("{}z", &name[..7]), 10).expect("lists").len(), 0);
    assert_eq!(files(folder.path()), 1, "equal content is kept once");
}

#[test]
fn a_file_that_was_left_half_written_is_not_trusted() {
    // As a loss of power leaves it: the name of its content, and another content.
    for (knows_its_name, left) in
        [(true, vec![0; 200_000]), (false, vec![0; 200_000]), (true, vec![]), (true, vec![7; 200_000])]
    {
        let (folder, disk) = store();
        let large = artifact(vec![7; 200_000], 1);
        let path = objects::Objects::new(folder.path()).path(artifact(vec![7; 200_000], 2).content_digest());
        fs::create_dir_all(folder.path().join("objects")).expect("a folder");
        fs::write(&path, left).expect("left behind");
        if knows_its_name {
            large.content_digest();
        }
        for artifact in [&large, &artifact(vec![7; 200_000], 3)] {
            disk.put(artifact).expect("is written");
        }
        assert_eq!(fs::read(&path).expect("a file"), vec![7; 200_000]);
        assert_eq!(files(folder.path()), 1, "nothing is left aside");
    }
}

#[test]
fn after_a_failure_nothing_more_is_written() {
    let (folder, disk) = store();
    let mut run = Writing::new(&disk, "a");
    fs::write(folder.path().join("objects"), "in the way").expect("writes");
    let (large, small) = (artifact(vec![7; 200_000], 2), artifact(vec![7], 3));
    run.kept.put(&large);
    assert!(matches!(run.kept.flush(), Err(StoreError::Stopped(_))));
    assert_eq!(run.kept.get(large.checksum()).as_ref(), Some(&large), "the run still reads it");
    fs::remove_file(folder.path().join("objects")).expect("goes");
    assert!(matches!(disk.put(&small), Err(StoreError::Stopped(_))), "it is not tried again");
    assert!(run.write(vec![unknown(1)]).is_err());
    drop(run);
    let disk = Disk::open(folder.path()).expect("opens again");
    assert!(disk.runs("", 10).expect("lists").is_empty());
    disk.put(&large).expect("another process writes");
    assert_eq!(disk.get(large.checksum()).as_ref(), Some(&large));
}

#[test]
fn many_may_open_a_new_store_at_once() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || Disk::open(folder.path()).map(drop);
        std::thread::scope(|scope| {
            let opened: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            for one in opened {
                one.join().expect("no panic").expect("opens");
            }
        });
    }
}

#[test]
fn nobody_else_can_read_a_store() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().join(".aivm");
    drop(Disk::open(&own).expect("opens"));
    assert_eq!(fs::metadata(&own).expect("there").permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_damaged_file_is_reported() {
    let (folder, disk) = store();
    let large = artifact(vec![7; 200_000], 2);
    disk.put(&large).expect("is written");
    list(&disk, "", 1).expect("lists");
    let path = objects::Objects::new(folder.path()).path(large.content_digest());
    fs::write(path, vec![8; 200_000]).expect("writes");
    assert!(matches!(disk.find(large.checksum()), Err(StoreError::Damaged(_))));
    assert_eq!(disk.get(large.checksum()), None);
}

#[test]
fn a_journal_comes_back_with_what_was_put() {
    let (folder, disk) = store();
    let mut run = Writing::new(&disk, "a");
    let (early, ahead, late) = (artifact(b"1".to_vec(), 1), artifact(b"2".to_vec(), 2), artifact(b"3".to_vec(), 3));
    run.kept.put(&early);
    run.write(vec![unknown(1), unknown(2)]).expect("is written");
    run.kept.put(&ahead);
    run.kept.flush().expect("is written without records");
    run.kept.put(&late);
    run.write(vec![unknown(3)]).expect("is written");
    drop(run);
    let disk = Disk::open(folder.path()).expect("opens again");
    let kept = disk.claim("a").expect("is ours");
    assert_eq!(read(kept.journal().expect("is there")).expect("is whole"), [1, 2, 3]);
    for artifact in [&early, &ahead, &late] {
        assert_eq!(kept.get(artifact.checksum()).as_ref(), Some(artifact));
    }
    // Told again, it makes them again: they stand in its rows.
    let rows = |disk: &Disk| list(disk, "", 10).expect("lists").len();
    kept.put(&ahead);
    kept.put(&late);
    kept.flush().expect("is written");
    let count =
        disk.writer().state().database.query_row("SELECT count(*) FROM journal", [], |row| row.get::<_, i64>(0));
    assert_eq!((rows(&disk), count.expect("counts")), (3, 3));
}

#[test]
fn what_stands_before_a_checkpoint_is_not_read() {
    let (folder, disk) = store();
    let mut run = Writing::new(&disk, "a");
    run.write(vec![unknown(1), unknown(2)]).expect("is written");
    run.kept.put(&artifact(b"x".to_vec(), 1));
    run.kept.flush().expect("is written");
    let artifact = artifact(b"the machine".to_vec(), 4);
    run.kept.put(&artifact);
    run.write(vec![Body::Checkpoint { artifact: artifact.checksum() }, unknown(4)]).expect("is written");
    run.write(vec![unknown(5)]).expect("is written");
    drop(run);
    let disk = Disk::open(folder.path()).expect("opens again");
    let broken = "UPDATE journal SET records = x'00' WHERE seq = 1";
    disk.writer().state().database.execute(broken, []).expect("is changed");
    let kept = disk.look("a").expect("reads").expect("is there");
    assert_eq!(read(kept.journal_from_checkpoint().expect("is there")).expect("is whole"), [3, 4, 5]);
    assert!(matches!(read(kept.journal().expect("is there")), Err(StoreError::Journal { seq: 1, .. })));
}

#[test]
fn every_damage_to_a_journal_has_its_place() {
    let damages = [
        ("UPDATE journal SET link = zeroblob(32) WHERE seq = 2", 2),
        ("UPDATE journal SET records = x'ffff' WHERE seq = 3", 3),
        ("UPDATE journal SET seq = 4 WHERE seq = 3", 3),
        ("UPDATE journal SET previous = row WHERE seq = 2", 2),
        ("UPDATE journal SET run = 7 WHERE seq = 1", 1),
        ("DELETE FROM journal WHERE seq = 3", 3),
        ("DELETE FROM journal WHERE seq = 1", 1),
        ("UPDATE head SET seq = 9", 4),
        ("UPDATE head SET last = 1", 2),
    ];
    for (damage, place) in damages {
        let (_folder, disk) = store();
        let mut run = Writing::new(&disk, "a");
        for request in 1..=3 {
            run.write(vec![unknown(request)]).expect("is written");
        }
        assert_eq!(disk.writer().state().database.execute(damage, []).expect("is changed"), 1);
        match run.kept.journal().and_then(read) {
            Err(StoreError::Journal { seq, .. }) => assert_eq!(seq, place, "{damage}"),
            other => panic!("{damage}: {other:?}"),
        }
        disk.quarantine("a", Some("its journal is damaged")).expect("is set aside");
        run.kept.release();
        assert!(matches!(disk.claim("a"), Err(StoreError::Quarantined { .. })));
        assert!(disk.waiting("running", "", 9).expect("lists").is_empty());
    }
}

#[test]
fn many_runs_share_transactions() {
    let (folder, disk) = store();
    let mut runs: Vec<Writing> = (0..50).map(|nth| Writing::new(&disk, &format!("r{nth}"))).collect();
    let before = disk.commits();
    for round in 0..20 {
        let write = |(nth, run): (usize, &mut Writing)| {
            run.kept.put(&artifact(vec![round; nth + 1], 1));
            let batch = run.batch(vec![unknown(1)], Status::Running);
            run.kept.append(batch)
        };
        let answers: Vec<_> = runs.iter_mut().enumerate().map(write).collect();
        answers.into_iter().for_each(|answer| wait(answer).expect("is written"));
    }
    let commits = disk.commits() - before;
    assert!(commits < 50 * 20, "each had its own: {commits}");
    drop(runs);
    let disk = Disk::open(folder.path()).expect("opens again");
    for (nth, run) in disk.runs("", 100).expect("lists").iter().enumerate() {
        let kept = disk.claim(&run.id).expect("is ours");
        assert_eq!(read(kept.journal().expect("is there")).expect("is whole").len(), 20, "{nth}");
    }
    assert_eq!(list(&disk, "", 10_000).expect("lists").len(), 50 * 20);
}

#[test]
fn a_run_has_one_owner_and_one_name() {
    let (folder, disk) = store();
    let mut run = Writing::new(&disk, "a");
    run.write(vec![unknown(1)]).expect("is written");
    let other = Disk::open(folder.path()).expect("opens");
    assert!(matches!(other.claim("a"), Err(StoreError::Owned(_))));
    assert!(matches!(other.keep().begin(row("a")), Err(StoreError::Owned(_))));
    run.kept.release();
    assert!(matches!(other.keep().begin(row("a")), Err(StoreError::Exists(row)) if row.status == "running"));
    // One who was taken for dead is refused, though nothing holds it back.
    let mut old = Writing::new(&disk, "b");
    old.write(vec![unknown(1)]).expect("is written");
    fs::remove_file(folder.path().join("runs/b.lock")).expect("goes");
    let kept = other.claim("b").expect("is taken over");
    assert!(matches!(old.write(vec![unknown(2)]), Err(StoreError::Fenced(_))));
    assert_eq!(read(kept.journal().expect("is there")).expect("is whole"), [1]);
    // To refuse is not to fail: others go on.
    Writing::new(&disk, "c").write(vec![unknown(1)]).expect("is written");
}

#[test]
fn runs_that_wait_are_found_in_order() {
    let (_folder, disk) = store();
    for nth in 0..30 {
        let mut run = Writing::new(&disk, &format!("r{nth:02}"));
        let status = if nth % 3 == 0 { Status::Parked } else { Status::Sent };
        let batch = run.batch(vec![unknown(1)], status);
        wait(run.kept.append(batch)).expect("is written");
    }
    let ids = |rows: Vec<RunRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(disk.waiting("parked", "", 3).expect("lists")), ["r00", "r03", "r06"]);
    assert_eq!(ids(disk.waiting("parked", "r21", 9).expect("lists")), ["r24", "r27"]);
    let claimed = disk.claim_all(&["r00", "r03", "none"]).expect("asks");
    assert_eq!(claimed.iter().filter(|kept| kept.is_ok()).count(), 2);
    let again = disk.claim_all(&["r00", "r06"]).expect("asks");
    let found = |at: usize| again[at].as_ref().map(|kept| kept.row().map(|row| row.id.clone()));
    assert!(found(0).is_err());
    assert_eq!(found(1).ok().flatten().as_deref(), Some("r06"), "one that is not to be had moves no other");
}

#[test]
fn a_signal_reaches_the_owner() {
    let (folder, disk) = store();
    let mut run = Writing::new(&disk, "a");
    run.write(vec![unknown(1)]).expect("is written");
    assert!(run.kept.signals().expect("asks").is_empty());
    let other = Disk::open(folder.path()).expect("opens");
    assert!(other.signal("a", "cancel", "ada").expect("is asked"));
    assert!(!other.signal("b", "cancel", "ada").expect("is asked"));
    let heard = run.kept.signals().expect("asks");
    assert!(matches!(heard.as_slice(), [signal] if signal.what == "cancel" && signal.by == "ada"), "{heard:?}");
    assert_eq!(run.kept.cancelled().as_deref(), Some("ada"));
    assert_eq!(run.kept.cancelled(), None, "told once");
    assert_eq!(other.signals("a").expect("asks").len(), 1, "nothing says yet that the run knows");
    run.write(vec![unknown(2)]).expect("is written");
    assert!(other.signals("a").expect("asks").is_empty(), "gone with the records that do");
}

#[test]
fn the_index_is_caught_up_while_others_write() {
    let (folder, disk) = store();
    let other = Disk::open(folder.path()).expect("opens");
    for nth in 0..20u8 {
        let (ours, theirs) = (artifact(vec![nth], 1), artifact(vec![nth], 2));
        disk.put(&ours).expect("is written");
        other.put(&theirs).expect("is written");
        assert_eq!(disk.get(theirs.checksum()), Some(theirs));
        assert_eq!(other.get(ours.checksum()), Some(ours));
    }
    assert_eq!(list(&disk, "w/", 100).expect("lists").len(), 40);
}

#[test]
fn a_run_that_is_removed_while_it_is_read_is_gone_and_not_damaged() {
    let (_folder, disk) = store();
    let mut run = Writing::new(&disk, "a");
    run.write(vec![unknown(1)]).expect("is written");
    run.write(vec![unknown(2)]).expect("is written");
    run.kept.release();
    let mut journal = disk.look("a").expect("reads").expect("there").journal().expect("reads");
    assert!(journal.record().expect("reads").is_some());
    let policy = Policy { runs: vec!["a".to_owned()], ..Policy::default() };
    assert_eq!(disk.collect(&policy, false).expect("collects").runs.len(), 1);
    assert!(matches!(journal.record(), Err(StoreError::Gone(_))));
    // A row is not given again, so what comes next is found.
    disk.put(&artifact(b"x".to_vec(), 1)).expect("is written");
    assert!(disk.find(artifact(b"x".to_vec(), 1).checksum()).expect("reads").is_some());
}

#[test]
fn a_store_that_may_not_be_written_is_read_with_what_is_not_in_its_index_yet() {
    let (folder, disk) = store();
    let mut run = Writing::new(&disk, "a");
    let (early, late) = (artifact(b"early".to_vec(), 1), artifact(vec![7; 200_000], 2));
    run.kept.put(&early);
    run.write(vec![unknown(1)]).expect("is written");
    assert_eq!(list(&disk, "", 9).expect("lists").len(), 1, "this one is in the index");
    run.kept.put(&late);
    run.write(vec![unknown(2)]).expect("is written");
    let seen = |disk: &Disk| {
        for artifact in [&early, &late] {
            assert_eq!(disk.find(artifact.checksum()).expect("reads").as_ref(), Some(artifact));
        }
        assert_eq!(list(disk, "", 9).expect("lists").len(), 2);
        let kept = disk.look("a").expect("reads").expect("there");
        assert_eq!(read(kept.journal().expect("there")).expect("is whole"), [1, 2]);
        assert!(matches!(disk.put(&artifact(b"x".to_vec(), 3)), Err(StoreError::Stopped(_))));
    };
    // Beside somebody who writes, and alone.
    seen(&Disk::read(folder.path()).expect("opens"));
    drop((run, disk));
    seen(&Disk::read(folder.path()).expect("opens"));
    let indexed = "SELECT row FROM indexed";
    let disk = Disk::open(folder.path()).expect("opens");
    let row = disk.writer().state().database.query_row(indexed, [], |row| row.get::<_, i64>(0)).expect("a row");
    assert_eq!(row, 1, "nothing was written");
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::existing(&folder.path().join(".aivm")).expect("opens");
    assert!(disk.runs("", 9).expect("lists").is_empty() && list(&disk, "", 9).expect("lists").is_empty());
    assert!(disk.collect(&Policy::default(), false).expect("collects").runs.is_empty());
    drop(disk);
    assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0);
}

#[test]
fn where_a_row_is_damaged_no_file_goes_that_it_may_name() {
    let (folder, disk) = store();
    let mut run = Writing::new(&disk, "a");
    run.kept.put(&artifact(b"small".to_vec(), 1));
    run.kept.put(&artifact(vec![7; 200_000], 2));
    run.write(vec![unknown(1)]).expect("is written");
    let mut other = Writing::new(&disk, "b");
    other.kept.put(&artifact(vec![7; 200_000], 3));
    other.write(vec![unknown(1)]).expect("is written");
    run.kept.release();
    other.kept.release();
    // The length of the first: what comes behind it is not found any more.
    let damage = "UPDATE journal SET artifacts = CAST(x'ffff0000' || substr(artifacts, 5) AS BLOB) WHERE run = 1";
    assert_eq!(disk.writer().state().database.execute(damage, []).expect("is changed"), 1);
    let collect = |run: &str| {
        let policy = Policy { runs: vec![run.to_owned()], ..Policy::default() };
        let collected = disk.collect(&policy, false).expect("collects");
        (collected.runs.len(), collected.damaged, files(folder.path()))
    };
    assert_eq!(collect("b"), (1, 1, 1), "the damaged run may name the same file");
    assert_eq!(collect("a"), (1, 0, 1), "nobody named it, and it is young");
}

#[test]
fn the_lock_file_of_a_run_stays_as_long_as_somebody_may_go_on_with_it() {
    let (folder, disk) = store();
    let file = folder.path().join("runs/a.lock");
    let mut run = Writing::new(&disk, "a");
    for status in [Status::Running, Status::Parked, Status::Stuck] {
        let batch = run.batch(vec![unknown(1)], status);
        wait(run.kept.append(batch)).expect("is written");
        run.kept.release();
        assert!(file.exists(), "{status:?}: to make a file is slow");
        assert!(!disk.is_carried("a"), "{status:?}: a file alone is no owner");
        run.kept = disk.claim("a").expect("is ours");
        assert!(disk.is_carried("a"));
    }
    let batch = run.batch(vec![unknown(1)], Status::Sent);
    wait(run.kept.append(batch)).expect("is written");
    run.kept.release();
    assert!(!file.exists(), "nobody goes on with it");
    drop(disk.claim("a").expect("is ours"));
    assert!(!file.exists(), "nor did who looked again");
}
