use super::*;
use crate::store::values::{Keeping, Selection};

/// Of this role and scope.
fn value(role: &str, scope: &str, payload: Vec<u8>, nth: u8) -> Artifact {
    let draft = Draft { role: role.into(), scope: scope.into(), ..artifact(payload, nth).to_draft() };
    draft.seal(1_000_000 * u64::from(nth), [nth; 10]).expect("valid")
}

fn meant(disk: &Disk, selection: &Selection) -> Vec<Entry> {
    selection.of(disk, "").collect::<Result<_, _>>().expect("lists")
}

#[test]
fn pages_follow_each_other_and_part_no_key() {
    let (_folder, disk) = store();
    let key = aivm_schema::keys::SecretKey::from_random([1; 32]);
    for nth in 0..20 {
        let one = artifact(vec![nth], nth);
        disk.put(&one).expect("is written");
        // The same key, and another checksum.
        disk.put(&key.sign(&one)).expect("is written");
    }
    let all = list(&disk, "", 100).expect("lists");
    assert_eq!(all.len(), 40);
    for most in 1..9 {
        let (mut after, mut seen) = (String::new(), Vec::new());
        loop {
            let page = disk.list(&Listing { after: after.clone(), most, ..Listing::default() }).expect("lists");
            let Some(last) = page.last() else { break };
            after = last.key.clone();
            seen.extend(page);
        }
        assert_eq!(seen, all, "{most} at once");
    }
    let named = all[7].checksum.to_string();
    assert_eq!(disk.starting(&named.to_uppercase(), 9).expect("lists"), all[7..8]);
    assert_eq!(disk.starting("", 7).expect("lists").len(), 7);
    assert!(disk.starting("w/", 9).expect("lists").is_empty());
}

#[test]
fn values_are_meant_by_what_their_keys_say_and_by_their_runs() {
    let (_folder, disk) = store();
    let long = "é".repeat(300);
    let mut run = Writing::new(&disk, "run-1");
    run.kept.put(&value("draft", &long, b"a".to_vec(), 1));
    run.kept.put(&value("draft", "run", b"b".to_vec(), 2));
    run.write(vec![unknown(1)]).expect("is written");
    disk.put(&value("", "run", b"c".to_vec(), 3)).expect("is written");
    let count = |selection: Selection| meant(&disk, &selection).len();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(count(Selection::default()), 3);
    assert_eq!(count(Selection { origin: some("w"), role: some("draft"), ..Selection::default() }), 2);
    assert_eq!(count(Selection { scope: Some(long.clone()), ..Selection::default() }), 1);
    assert_eq!(count(Selection { scope: Some(format!("{long}e")), ..Selection::default() }), 0);
    assert_eq!(count(Selection { role: some(""), ..Selection::default() }), 1, "unset");
    assert_eq!(count(Selection { run: some("run"), ..Selection::default() }), 2);
    assert_eq!(count(Selection { since: 2_000_000, ..Selection::default() }), 2);
    assert_eq!(count(Selection { before: Some(2_000_000), ..Selection::default() }), 1);
    assert_eq!(count(Selection { prefix: "w/draft/r".into(), role: some("draft"), ..Selection::default() }), 1);
    for (asked, found) in [("text", 3), ("text/plain", 3), ("text/x", 0), ("plain", 0)] {
        assert_eq!(count(Selection { media_type: some(asked), ..Selection::default() }), found, "{asked}");
    }
}

#[test]
fn what_is_removed_is_gone_with_its_file_and_what_a_run_keeps_stays() {
    let (folder, disk) = store();
    let (large, small, kept) =
        (artifact(vec![7; 100_000], 1), artifact(b"small".to_vec(), 2), artifact(vec![9; 100_000], 3));
    let mut run = Writing::new(&disk, "a");
    run.kept.put(&kept);
    run.write(vec![unknown(1)]).expect("is written");
    // One row with two values, as a run leaves them that it outlived.
    let request = Request { artifacts: vec![large.clone(), small.clone()], ..Request::default() };
    disk.writer().now(&request).expect("is written");
    disk.put(&kept).expect("is written");
    assert_eq!(files(folder.path()), 2);
    let entries = list(&disk, "", 9).expect("lists");
    assert_eq!(entries.len(), 4, "the run's own, and one of no run: {entries:?}");
    let of = |artifact: &Artifact| -> Vec<Entry> {
        entries.iter().filter(|entry| entry.checksum == artifact.checksum()).cloned().collect()
    };
    disk.remove(&of(&large)).expect("is removed");
    disk.remove(&of(&kept)).expect("is removed");
    assert_eq!(disk.find(large.checksum()).expect("reads"), None);
    assert_eq!(disk.find(small.checksum()).expect("reads"), Some(small));
    assert_eq!(disk.find(kept.checksum()).expect("reads"), Some(kept), "a run keeps it");
    assert_eq!(list(&disk, "", 9).expect("lists").len(), 2);
    assert_eq!(files(folder.path()), 1);
    assert_eq!(disk.unreadable().expect("counts"), 0);
    // What comes next is found, though the last row is gone.
    let next = artifact(b"next".to_vec(), 4);
    disk.put(&next).expect("is written");
    let again = Disk::open(folder.path()).expect("opens");
    assert_eq!(again.find(next.checksum()).expect("reads"), Some(next));
}

#[test]
fn values_outlive_their_run_as_long_as_their_rule_says() {
    let (folder, disk) = store();
    let (report, draft, old) = (
        value("report", "project", vec![1; 100_000], 9),
        value("draft", "project", vec![2; 100_000], 9),
        value("report", "project", vec![3; 100_000], 1),
    );
    // Two runs that keep the same, as a fork does.
    for id in ["a", "b"] {
        let mut run = Writing::new(&disk, id);
        for artifact in [&report, &draft, &old] {
            run.kept.put(artifact);
        }
        run.write(vec![unknown(1)]).expect("is written");
        run.kept.release();
    }
    let rule = |since| vec![Keeping { role: Some("report".into()), scope: None, since: Some(since) }];
    let policy = Policy { runs: vec!["a".into(), "b".into()], keeping: rule(5_000_000), ..Policy::default() };
    let dry = disk.collect(&policy, true).expect("counts");
    assert_eq!((dry.runs.len(), dry.artifacts, dry.outlive), (2, 5, 1));
    let done = disk.collect(&policy, false).expect("collects");
    assert_eq!((done.runs.len(), done.artifacts, done.outlive, done.bytes), (2, 5, 1, dry.bytes));
    let left = list(&disk, "", 9).expect("lists");
    assert_eq!(
        left.iter().map(|entry| (entry.checksum, entry.run.clone())).collect::<Vec<_>>(),
        [(report.checksum(), None)]
    );
    assert_eq!(Disk::open(folder.path()).expect("opens").find(report.checksum()).expect("reads"), Some(report));
    assert_eq!(files(folder.path()), 1);
    // As long as the rule keeps it; and then it goes, without a run.
    let policy = Policy { keeping: rule(9_000_000), ..Policy::default() };
    assert_eq!(disk.collect(&policy, false).expect("collects").values, 0);
    let policy = Policy { keeping: rule(9_000_001), ..Policy::default() };
    let dry = disk.collect(&policy, true).expect("counts");
    assert_eq!((dry.values, dry.bytes), (1, 100_000));
    assert_eq!(disk.collect(&policy, false).expect("collects").values, 1);
    assert!(list(&disk, "", 9).expect("lists").is_empty());
    assert_eq!(files(folder.path()), 0);
}

#[test]
fn values_outlive_their_run_as_long_as_they_say_themselves() {
    let (_folder, disk) = store();
    let kept = |retention: &str, at: u64| {
        let mut draft = Draft { role: "artifact".into(), payload: retention.as_bytes().to_vec(), ..Draft::default() };
        draft.set("retention", retention);
        draft.seal(at * 1_000_000, [at as u8; 10]).expect("an artifact")
    };
    // Made in the first, second and third millisecond.
    let (short, long, forever) = (kept("5ms", 1), kept("50ms", 2), kept("forever", 3));
    let step = artifact(b"a step's".to_vec(), 4);
    let mut run = Writing::new(&disk, "a");
    [&short, &long, &forever, &step].into_iter().for_each(|value| run.kept.put(value));
    run.write(vec![unknown(1)]).expect("is written");
    run.kept.release();
    let left = |disk: &Disk| -> Vec<Checksum> {
        let mut left: Vec<_> = list(disk, "", 9).expect("lists").iter().map(|entry| entry.checksum).collect();
        left.sort_unstable();
        left
    };
    let sorted = |mut of: Vec<Checksum>| {
        of.sort_unstable();
        of
    };
    let at = |ms: u64| Policy { now: ms * 1_000_000, ..Policy::default() };
    // One that has had its time goes with its run, the others stay.
    let done = disk.collect(&Policy { runs: vec!["a".into()], ..at(6) }, false).expect("collects");
    assert_eq!((done.runs.len(), done.artifacts, done.outlive), (1, 2, 2));
    assert_eq!(left(&disk), sorted(vec![long.checksum(), forever.checksum()]));
    // Whoever means other values does not mean them; and what has had its time goes by itself.
    let all = Selection { before: Some(9_000_000), ..Selection::default() };
    assert_eq!(disk.collect(&Policy { values: Some(all), ..at(51) }, false).expect("collects").values, 0);
    assert_eq!(disk.collect(&at(52), false).expect("collects").values, 1);
    assert_eq!(left(&disk), [forever.checksum()]);
    let role = Selection { role: Some("artifact".into()), ..Selection::default() };
    assert_eq!(disk.collect(&Policy { values: Some(role), ..at(53) }, false).expect("collects").values, 1);
    assert_eq!(left(&disk), []);
}
