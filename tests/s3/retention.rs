//! What goes from a bucket and what stays: by the retention of values, by runs, and whatever moment `aivm gc` is killed at.

use super::*;

/// Two values that say how long they stay, and one that says nothing.
const KEEPS: &str = "+++
[worker.old]
builtin = \"collect\"
with = { files = [\"old.txt\"], retention = \"1ms\" }
[worker.kept]
builtin = \"collect\"
with = { files = [\"kept.txt\"], retention = \"forever\" }
+++
out <= ( switch <= ( clean => next  old => next  kept => send ) ) <= in
";

/// It goes on as long as there is a file `hold`.
const HOLDS: &str = "+++
[worker.hold]
effect = \"read\"
run = [\"sh\", \"-c\", \"while [ -e hold ]; do sleep 0.02; done; cat\"]
+++
out <= ( switch <= ( clean => next  hold => next  sort => send ) ) <= in
";

/// A machine with its own store, and a bucket that others use as well.
struct Machine<'s> {
    server: &'s Server,
    folder: tempfile::TempDir,
    place: String,
}

impl Machine<'_> {
    fn new<'s>(server: &'s Server, remote: &Remote) -> Machine<'s> {
        let folder = server.project(remote.bucket.place(), "through", "binary");
        for (name, text) in [("keeps.aivm", KEEPS), ("holds.aivm", HOLDS), ("old.txt", "old"), ("kept.txt", "kept")] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        Machine { server, folder, place: remote.bucket.place().to_string() }
    }

    fn aivm(&self, args: &[&str]) -> Output {
        let output = self.server.aivm(self.folder.path(), args);
        assert!(output.status.success(), "{} {args:?}: {}", self.server.name, text(&output));
        output
    }

    /// Everything that a run of this machine names.
    fn run(&self, program: &str, id: &str) {
        self.aivm(&["run", program, "--in", id, "--id", id, "-q"]);
    }

    fn gc(&self, args: &[&str]) -> Value {
        json(&self.aivm(&[&["gc", "--json", "--store", &self.place], args].concat()))
    }
}

/// The payloads of the bucket's values with the role `artifact`, of runs and of none.
fn collected(remote: &Remote) -> BTreeSet<String> {
    block_on(async {
        let mut payloads = BTreeSet::new();
        for key in keys(remote).await.into_iter().filter(|key| key.split('/').nth(1) == Some("artifact")) {
            let value = remote.get(&key).await.expect("read").expect("there");
            payloads.insert(String::from_utf8_lossy(value.payload()).into_owned());
        }
        payloads
    })
}

#[test]
fn values_past_their_retention_go_with_their_run_and_others_stay() {
    for server in servers() {
        let remote = block_on(server.remote("retention", Form::Binary));
        let here = Machine::new(&server, &remote);
        let there = Machine::new(&server, &remote);
        here.run("keeps.aivm", "mine");
        there.run("p.aivm", "theirs");
        std::fs::write(there.folder.path().join("note.txt"), "a note").expect("written");
        there.aivm(&["artifact", "put", "note.txt", "--role", "note", "--scope", "team"]);
        // Another machine is still at it: what it has sent is named by no run of the bucket.
        std::fs::write(there.folder.path().join("hold"), "").expect("written");
        let before = block_on(keys(&remote));
        let args = ["run", "holds.aivm", "--in", "busy", "--id", "busy", "-q"];
        let mut busy = server.command(there.folder.path(), &args);
        let mut busy = busy.stdout(std::process::Stdio::null()).spawn().expect("it starts");
        while block_on(keys(&remote)).len() == before.len() {
            assert!(busy.try_wait().expect("its end").is_none(), "it ended, and sent nothing");
            std::thread::sleep(Duration::from_millis(20));
        }

        let all = block_on(keys(&remote));
        let dry = here.gc(&["--run", "mine", "--dry-run"]);
        assert_eq!(block_on(keys(&remote)), all, "what would go is still there");
        let gone = here.gc(&["--run", "mine"]);
        assert_eq!((&dry["runs"], &dry["artifacts"]), (&gone["runs"], &gone["artifacts"]), "it says what would go");
        let left = block_on(keys(&remote));
        assert_eq!(gone["artifacts"].as_u64(), Some((all.len() - left.len()) as u64), "{gone}");
        assert_eq!(collected(&remote), BTreeSet::from(["kept".to_owned()]), "{}", server.name);

        // All runs that have ended: the note belongs to none, and the busy one has not.
        let gone = here.gc(&["--keep", "0"]);
        assert_eq!(gone["runs"], serde_json::json!(["theirs"]), "{gone}");
        assert_eq!(here.gc(&["--keep", "0"])["artifacts"], 0);
        let listed = json(&here.aivm(&["artifact", "ls", "--json", "--role", "note", "--store", &here.place]));
        assert_eq!(listed["artifacts"].as_array().map(Vec::len), Some(1), "{listed}");
        std::fs::remove_file(there.folder.path().join("hold")).expect("it goes on");
        assert!(busy.wait().expect("its end").success());
        here.aivm(&["verify", "busy", "--store", &here.place]);

        // Whoever says which removes those, and nothing else.
        assert_eq!(here.gc(&["--role", "note", "--dry-run"])["values"].as_array().map(Vec::len), Some(1));
        assert_eq!(here.gc(&["--role", "note"])["artifacts"], 1);
        assert_eq!(collected(&remote), BTreeSet::from(["kept".to_owned()]), "{}", server.name);
        assert_eq!(here.gc(&["--role", "artifact"])["artifacts"], 1, "named, it goes though it said for ever");
        assert!(collected(&remote).is_empty(), "{}", server.name);
        here.aivm(&["verify", "busy", "--store", &here.place]);
    }
}

#[test]
fn a_removal_that_was_killed_is_gone_on_with() {
    for server in servers() {
        let remote = block_on(server.remote("killed", Form::Binary));
        let here = Machine::new(&server, &remote);
        here.run("keeps.aivm", "first");
        here.run("keeps.aivm", "second");
        here.run("p.aivm", "stays");
        let stays = |named: &str| named.contains("stays");
        let objects = || block_on(remote.bucket.list("runs/", "", usize::MAX)).expect("listed");
        let of = |run: &str| {
            block_on(async {
                let run = remote.run(run).await.expect("asked").expect("there");
                remote.named(&run).await.expect("read").into_iter().map(|named| named.key).collect::<BTreeSet<_>>()
            })
        };
        let (first, kept) = (of("first"), of("stays"));
        // Killed while values went: the run is still there, and names them.
        let some: Vec<String> = first.iter().filter(|key| !kept.contains(*key)).take(2).cloned().collect();
        block_on(remote.bucket.remove(&some)).expect("removed");
        assert_eq!(here.gc(&["--run", "first"])["runs"], serde_json::json!(["first"]));
        // Killed when the run was gone, and the list of what it named was not.
        let run = objects().into_iter().find(|run| run.key.contains("second") && run.key.ends_with(".aivmrun"));
        block_on(remote.bucket.remove(&[run.expect("the run").key])).expect("removed");
        assert_eq!(here.gc(&["--keep", "0", "--dry-run"])["leftovers"], 0, "it may be of a run that comes just now");
        let (policy, nobody) = (Default::default(), |_: &aivm_s3::Upload| false);
        for (dry, left) in [(true, 1), (false, 1), (false, 0)] {
            let swept = block_on(remote.collect(&policy, i64::MAX, nobody, dry)).expect("swept");
            assert_eq!((swept.leftovers, swept.runs.len()), (left, 0), "{}", server.name);
        }
        assert!(objects().iter().all(|object| stays(&object.key)), "{:?}", objects());
        assert!(kept.is_subset(&block_on(keys(&remote))), "{}", server.name);
        here.aivm(&["verify", "stays", "--store", &here.place]);
        // And killed for real, a little later each time.
        let before = block_on(keys(&remote));
        for nth in 0..4 {
            here.run("keeps.aivm", &format!("gone{nth}"));
        }
        for nth in 0..8 {
            let mut gc = server.command(here.folder.path(), &["gc", "--keep", "0", "--store", &here.place]);
            let mut gc = gc.stdout(std::process::Stdio::null()).spawn().expect("it starts");
            std::thread::sleep(Duration::from_millis(25 * nth));
            gc.kill().expect("killed");
            gc.wait().expect("gone");
        }
        here.gc(&["--keep", "0"]);
        block_on(remote.collect(&policy, i64::MAX, nobody, false)).expect("swept");
        assert!(objects().is_empty(), "{:?}", objects());
        let kept = block_on(keys(&remote)).difference(&before).count();
        assert_eq!(kept, 4, "{}: of each run the value that says so, and nothing else", server.name);
    }
}
