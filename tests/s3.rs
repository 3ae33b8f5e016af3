//! Values in S3, against real servers: `AIVM_S3` names them, as `moto=http://127.0.0.1:5000,garage=…`; `tests/s3/run` starts them. The
//! same of every server: what is stored comes back, what is killed loses nothing and leaves nothing that the store cannot name.
#![cfg(feature = "s3")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

#[path = "s3/lost.rs"]
mod lost;
#[path = "s3/retention.rs"]
mod retention;

use aivm_host::mint::Mint;
use aivm_host::store::bucket::Remote;
use aivm_host::store::disk::Disk;
use aivm_s3::{Bucket, Conditional, Content, PART, Place, Settings};
use aivm_schema::artifact::key::{self, Form};
use aivm_schema::artifact::{Artifact, Draft};
use serde_json::Value;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

/// A server to test against.
struct Server {
    name: String,
    url: String,
}

/// Those that are named; none says so.
fn servers() -> Vec<Server> {
    let named = std::env::var("AIVM_S3").unwrap_or_default();
    let servers: Vec<Server> = named
        .split(',')
        .filter_map(|server| server.split_once('='))
        .map(|(name, url)| Server { name: name.to_owned(), url: url.to_owned() })
        .collect();
    if servers.is_empty() {
        println!("skipped: AIVM_S3 names no server");
    }
    servers
}

impl Server {
    fn settings(&self) -> Settings {
        Settings { endpoint: Some(self.url.clone()), region: Some("us-east-1".into()), ..Settings::default() }
    }

    /// A bucket that is there, and a prefix of this test's own.
    async fn remote(&self, prefix: &str, form: Form) -> Remote {
        let unique = Mint::system().expect("random bits").run_id();
        let place = Place::parse(&format!("s3://aivm-test/{prefix}-{unique}")).expect("a place");
        let bucket = Bucket::open(place, &self.settings()).await;
        // It may be there already.
        let _ = bucket.client().create_bucket().bucket("aivm-test").send().await;
        Remote { bucket, form }
    }

    /// `aivm` in a folder whose values go to a prefix of this server.
    fn command(&self, folder: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aivm"));
        command.args(args).current_dir(folder).env("AIVM_STATE", folder.join(".aivm")).env("HOME", folder);
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    fn aivm(&self, folder: &Path, args: &[&str]) -> Output {
        self.command(folder, args).output().expect("it runs")
    }

    /// A project whose values go to this prefix.
    fn project(&self, place: &Place, mode: &str, form: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let url = place.to_string();
        let settings = format!(
            "[store]\nurl = \"{url}\"\nmode = \"{mode}\"\nformat = \"{form}\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n",
            self.url
        );
        std::fs::write(folder.path().join("aivm.toml"), settings).expect("written");
        std::fs::write(folder.path().join("p.aivm"), PROGRAM).expect("written");
        folder
    }
}

const PROGRAM: &str = "out <= (
    switch <= (
        clean => next
        sort  => next
        dedupe => next
        count => send
    )
) <= in
";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

fn artifact(mint: &Mint, origin: &str, media_type: &str, payload: Vec<u8>) -> Artifact {
    let draft = Draft {
        media_type: media_type.to_owned(),
        origin: origin.to_owned(),
        role: "step".to_owned(),
        scope: "run".to_owned(),
        attributes: vec![("run".into(), "r1".into())],
        payload,
    };
    mint.seal(draft).expect("an artifact")
}

async fn put(remote: &Remote, artifact: &Artifact) {
    let none: Result<Option<String>, Infallible> = Ok(None);
    remote.put(artifact, || none, |_| Ok(())).await.expect("it is stored");
}

fn noise(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

#[test]
fn what_is_stored_comes_back_in_both_forms() {
    for server in servers() {
        block_on(async {
            let mint = Mint::system().expect("random bits");
            for form in [Form::Binary, Form::Json] {
                let remote = server.remote("both", form).await;
                // s3s-fs makes a file's name of a key, with twice its length.
                let long = if server.name == "s3s" { "long".to_owned() } else { "ö/".repeat(300) };
                let odd = if server.name == "s3s" { "a b" } else { "a b/c?d=e&f+g%20#h" };
                let stored = [
                    artifact(&mint, "clean", "text/plain", b"hello".to_vec()),
                    artifact(&mint, "", "", Vec::new()),
                    artifact(&mint, "..", "a", noise(1000)),
                    artifact(&mint, odd, "text/x;a=\"b\"", b"odd".to_vec()),
                    artifact(&mint, &long, &long, b"long".to_vec()),
                    // More than two parts.
                    artifact(&mint, "large", "a/b", noise(2 * PART + 12_345)),
                ];
                for artifact in &stored {
                    put(&remote, artifact).await;
                    // Once more is the same.
                    put(&remote, artifact).await;
                }
                for artifact in &stored {
                    let key = key::encode(artifact, form);
                    let found = remote.get_exactly(&key, artifact.checksum()).await.expect("read").expect("there");
                    assert_eq!(found.bytes(), artifact.bytes(), "{}: {key}", server.name);
                    let head = remote.bucket.head(&key).await.expect("asked").expect("there");
                    assert_eq!(head.checksum, Some(artifact.checksum().to_string()), "{}", server.name);
                }
                let mut keys: Vec<String> = stored.iter().map(|artifact| key::encode(artifact, form)).collect();
                keys.sort();
                let listed = remote.bucket.list("", "", usize::MAX).await.expect("listed");
                assert_eq!(listed.iter().map(|object| object.key.clone()).collect::<Vec<_>>(), keys, "{}", server.name);
                let behind = remote.bucket.list("", &keys[1], 2).await.expect("listed");
                assert_eq!(behind.iter().map(|object| &object.key).collect::<Vec<_>>(), [&keys[2], &keys[3]]);
                assert!(remote.get("clean/step/none").await.expect("asked").is_none());
                assert!(remote.bucket.head("clean/step/none").await.expect("asked").is_none());
                remote.bucket.remove(&keys).await.expect("removed");
                remote.bucket.remove(&keys).await.expect("removed twice");
                assert!(remote.bucket.list("", "", 10).await.expect("listed").is_empty());
            }
        });
    }
}

#[test]
fn a_listing_has_pages() {
    for server in servers() {
        block_on(async {
            let remote = server.remote("pages", Form::Binary).await;
            let content = Content {
                media_type: "text/plain".into(),
                checksum: "0".into(),
                payload: 0,
                head: bytes::Bytes::from_static(b"x"),
                body: bytes::Bytes::new(),
            };
            let names: Vec<String> = (0..1_205).map(|nth| format!("many/{nth:05}")).collect();
            for some in names.chunks(64) {
                futures_util::future::join_all(some.iter().map(|name| remote.bucket.put(name, &content))).await;
            }
            let listed = remote.bucket.list("many/", "", usize::MAX).await.expect("listed");
            assert_eq!(listed.iter().map(|object| object.key.clone()).collect::<Vec<_>>(), names, "{}", server.name);
            let some = remote.bucket.list("many/", "many/00100", 1_050).await.expect("listed");
            assert_eq!(some.iter().map(|object| object.key.clone()).collect::<Vec<_>>(), names[101..1_151]);
            remote.bucket.remove(&names).await.expect("removed");
        });
    }
}

#[test]
fn parts_that_have_arrived_are_not_sent_again() {
    for server in servers() {
        block_on(async {
            let remote = server.remote("parts", Form::Binary).await;
            let content = |bytes: Vec<u8>| Content {
                media_type: "application/octet-stream".into(),
                checksum: "0".into(),
                payload: 0,
                head: bytes::Bytes::new(),
                body: bytes.into(),
            };
            // Its first part arrived, and then it was killed.
            let (client, place) = (remote.bucket.client(), remote.bucket.place().to_string());
            let prefix = place.strip_prefix("s3://aivm-test/").expect("its prefix");
            let whole = format!("{prefix}thing");
            let begun = client.create_multipart_upload().bucket("aivm-test").key(&whole).send().await.expect("begun");
            let id = begun.upload_id().expect("its id").to_owned();
            let mark = vec![b'1'; PART];
            let part = client.upload_part().bucket("aivm-test").key(&whole).upload_id(&id).part_number(1);
            part.body(mark.clone().into()).send().await.expect("a part");
            // The content differs in that part only to show whose it is.
            let rest = noise(PART + 10);
            let given = content([vec![b'2'; PART], rest.clone()].concat());
            let mut another = false;
            let begun = |_: &str| {
                another = true;
                Ok::<(), Infallible>(())
            };
            remote.bucket.put_parts("thing", &given, Some(&id), begun).await.expect("it went on");
            let found = remote.bucket.get("thing", u64::MAX).await.expect("read").expect("there");
            // moto tells of parts in a form of its own, and s3s-fs without their tags: there they are sent again.
            assert_eq!(another, server.name == "moto");
            let again = ["moto", "s3s"].contains(&&*server.name);
            assert!(found == if again { given.body.to_vec() } else { [mark, rest].concat() }, "{}", server.name);
            // One that the server does not know any more begins anew, unless what it was for is there.
            remote.bucket.remove(&["thing".to_owned()]).await.expect("removed");
            let mut new = None;
            let begun = |id: &str| {
                new = Some(id.to_owned());
                Ok::<(), Infallible>(())
            };
            remote.bucket.put_parts("thing", &given, Some(&id), begun).await.expect("it began again");
            assert!(new.is_some_and(|new| new != id));
            assert!(remote.bucket.get("thing", u64::MAX).await.expect("read").expect("there") == given.body);
            // One that nobody goes on with is found, where the server tells, and ended.
            let left = client.create_multipart_upload().bucket("aivm-test").key(format!("{prefix}left")).send().await;
            let left = left.expect("begun").upload_id().expect("its id").to_owned();
            let uploads = remote.bucket.uploads("").await.expect("listed");
            println!("{}: {} uploads are listed", server.name, uploads.len());
            for upload in &uploads {
                assert_eq!((&*upload.key, &*upload.id), ("left", &*left), "{}", server.name);
                remote.bucket.abort(upload).await.expect("ended");
                remote.bucket.abort(upload).await.expect("ended twice");
            }
            assert!(remote.bucket.uploads("").await.expect("listed").is_empty());
            remote.bucket.remove(&["thing".to_owned()]).await.expect("removed");
        });
    }
}

#[test]
fn conditional_writes_are_probed() {
    for server in servers() {
        let found = block_on(async {
            let remote = server.remote("probe", Form::Binary).await;
            let found = remote.bucket.probe("probe").await.expect("probed");
            assert!(remote.bucket.list("", "", 10).await.expect("listed").is_empty(), "{}", server.name);
            found
        });
        println!("{}: conditional writes are {found}", server.name);
        match &*server.name {
            "moto" => assert_eq!(found, Conditional::Atomic),
            "garage" => assert_eq!(found, Conditional::Ignored),
            // As components.md found it: a refusal, but not atomic.
            _ => assert_ne!(found, Conditional::Refused),
        }
    }
}

#[test]
fn what_another_wrote_under_a_key_is_refused() {
    for server in servers() {
        block_on(async {
            let mint = Mint::system().expect("random bits");
            let remote = server.remote("damage", Form::Binary).await;
            let (one, other) =
                (artifact(&mint, "a", "text/plain", b"1".to_vec()), artifact(&mint, "a", "text/plain", b"2".to_vec()));
            let key = key::encode(&one, Form::Binary);
            for bytes in [other.to_framed(), b"nothing".to_vec(), [one.to_framed(), vec![0]].concat()] {
                let content = Content {
                    media_type: String::new(),
                    checksum: "0".into(),
                    payload: 0,
                    head: bytes::Bytes::new(),
                    body: bytes.into(),
                };
                remote.bucket.put(&key, &content).await.expect("stored");
                let refused = remote.get(&key).await.expect_err("it is refused").to_string();
                assert!(refused.starts_with("E0872: "), "{refused}");
            }
        });
    }
}

/// Everything that the bucket has under a prefix, but for runs.
async fn keys(remote: &Remote) -> BTreeSet<String> {
    let listed = remote.bucket.list("", "", usize::MAX).await.expect("listed");
    listed.into_iter().map(|object| object.key).filter(|key| !key.starts_with("runs/")).collect()
}

/// The keys of everything that a project's store has.
fn names(server: &Server, folder: &Path, form: Form) -> BTreeSet<String> {
    let listed = json(&server.aivm(folder, &["artifact", "ls", "--most", "100000", "--json"]));
    let rows = listed["artifacts"].as_array().expect("artifacts").iter();
    let end = format!(".{}", form.extension());
    rows.map(|row| row["key"].as_str().expect("a key").replace(".artifact", &end)).collect()
}

#[test]
fn a_run_is_shown_verified_and_forked_on_another_machine() {
    for server in servers() {
        for (mode, form) in [("behind", Form::Binary), ("through", Form::Json)] {
            let remote = block_on(server.remote("machines", form));
            let word = if form == Form::Json { "json" } else { "binary" };
            let here = server.project(remote.bucket.place(), mode, word);
            std::fs::write(here.path().join("big.txt"), "a line\n".repeat(30_000)).expect("written");
            let ran = server.aivm(here.path(), &["run", "p.aivm", "--in", "@big.txt", "--json"]);
            assert!(ran.status.success(), "{}", text(&ran));
            let run = json(&ran)["run"].as_str().expect("its name").to_owned();
            assert_eq!(block_on(keys(&remote)), names(&server, here.path(), form), "{} {mode}", server.name);
            let status = json(&server.aivm(here.path(), &["store", "status", "--json"]));
            assert_eq!((&status["artifacts"], &status["runs"]), (&0.into(), &0.into()), "{status}");
            let there = server.project(remote.bucket.place(), mode, word);
            let listed = json(&server.aivm(there.path(), &["store", "runs", "--json"]));
            assert_eq!(listed["runs"][0]["run"], run.as_str(), "{listed}");
            for args in [&["show", &run][..], &["verify", &run], &["fork", &run, "--at", "switch.1/count#1"]] {
                let output = server.aivm(there.path(), args);
                assert!(output.status.success(), "{} {mode} {args:?}: {}", server.name, text(&output));
            }
            // What a fork shares with its run, and went with it before the fork was sealed, goes there again.
            let forked = server.aivm(here.path(), &["fork", &run, "--at", "switch.1/count#1", "--json"]);
            let fork = json(&forked)["run"].as_str().expect("its name").to_owned();
            let disk = Disk::existing(&here.path().join(".aivm")).expect("its store");
            block_on(async {
                let run = remote.run(&run).await.expect("asked").expect("there");
                let named = remote.named(&run).await.expect("what it names");
                let keys: Vec<String> = named.into_iter().map(|named| named.key).collect();
                remote.bucket.remove(&keys).await.expect("removed");
                remote.seal(&disk, &fork).await.expect("sealed");
                let fork = remote.run(&fork).await.expect("asked").expect("there");
                remote.fetch(&fork).await.expect("whole");
            });
        }
    }
}

/// A run that waits is shown elsewhere as it is, and once it has ended as it ended.
#[test]
fn what_has_come_since_is_brought_too() {
    for server in servers() {
        let remote = block_on(server.remote("since", Form::Binary));
        let [here, there] = [(); 2].map(|()| server.project(remote.bucket.place(), "through", "binary"));
        let asks = "+++\n[worker.ask]\nhuman = \"Is it good?\"\n+++\nout <= ( switch <= ( ask => next  sort => send ) ) <= in\n";
        std::fs::write(here.path().join("p.aivm"), asks).expect("written");
        let ran = server.aivm(here.path(), &["run", "p.aivm", "--in", "b", "--json"]);
        let run = json(&ran)["run"].as_str().expect("its name").to_owned();
        let stands = || {
            let shown = server.aivm(there.path(), &["show", &run, "--json"]);
            assert!(shown.status.success(), "{}: {}", server.name, text(&shown));
            json(&shown)["status"].as_str().expect("how it stands").to_owned()
        };
        assert_eq!((stands(), stands()), ("parked".into(), "parked".into()), "{}", server.name);
        let decided = server.aivm(here.path(), &["approve", &run, "next"]);
        assert!(decided.status.success(), "{}", text(&decided));
        assert_eq!(stands(), "sent", "{}", server.name);
        let verified = server.aivm(there.path(), &["verify", &run]);
        assert!(verified.status.success(), "{}: {}", server.name, text(&verified));
    }
}

/// The same of a bucket as of the disk; and what goes there.
#[test]
fn values_are_looked_at_and_removed_in_the_bucket() {
    for server in servers() {
        let remote = block_on(server.remote("look", Form::Binary));
        let place = remote.bucket.place().to_string();
        let here = server.project(remote.bucket.place(), "behind", "binary");
        let folder = here.path();
        let ran = |args: &[&str]| {
            let output = server.aivm(folder, args);
            assert!(output.status.success(), "{} {args:?}: {}", server.name, text(&output));
            output
        };
        let mut runs = Vec::new();
        for input in ["one", "two"] {
            runs.push(
                json(&ran(&["run", "p.aivm", "--in", input, "--json"]))["run"].as_str().expect("a run").to_owned(),
            );
        }
        std::fs::write(folder.join("note.txt"), "a note").expect("written");
        ran(&["artifact", "put", "note.txt", "--scope", "team", "--role", "note"]);
        let sums = |args: &[&str]| -> Vec<(String, String, Value)> {
            let rows = json(&ran(args))["artifacts"].as_array().expect("artifacts").clone();
            let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
            rows.iter().map(|row| (text(row, "checksum"), text(row, "key"), row["size"].clone())).collect()
        };
        for filter in [&[][..], &["--scope", "team"], &["--role", "step", "--type", "text"], &["--run", &runs[0]]] {
            let local = sums(&[&["artifact", "ls", "--json", "--most", "1000"], filter].concat());
            let there = sums(&[&["artifact", "ls", "--json", "--most", "1000", "--store", &place], filter].concat());
            assert!(!local.is_empty() && local == there, "{} {filter:?}: {local:?} {there:?}", server.name);
        }
        let (sum, ..) = sums(&["artifact", "ls", "--json", "--scope", "team"]).remove(0);
        for what in ["show", "cat", "lineage", "verify"] {
            let local = ran(&["artifact", what, &sum]);
            let there = ran(&["artifact", what, &sum, "--store", &place]);
            assert_eq!(local.stdout, there.stdout, "{} {what}", server.name);
        }
        let gc = |args: &[&str]| json(&ran(&[&["gc", "--json", "--store", &place], args].concat()));
        let dry = gc(&["--run", &runs[0], "--dry-run"]);
        assert_eq!(
            (&dry["runs"][0], dry["values"].as_array().map(Vec::len)),
            (&runs[0].as_str().into(), Some(0)),
            "{dry}"
        );
        let before = block_on(keys(&remote)).len();
        let gone = gc(&["--run", &runs[0]]);
        let after = block_on(keys(&remote)).len();
        assert_eq!(gone["artifacts"].as_u64(), Some((before - after) as u64), "{gone}");
        assert!(before > after && after > 1);
        let other = server.project(remote.bucket.place(), "behind", "binary");
        assert!(server.aivm(other.path(), &["verify", &runs[1]]).status.success());
        assert!(!server.aivm(other.path(), &["verify", &runs[0]]).status.success());
        // What nobody names is named, and goes when it is meant.
        let dry = gc(&["--scope", "team", "--dry-run"]);
        assert_eq!(dry["values"].as_array().map(Vec::len), Some(1), "{dry}");
        assert_eq!(gc(&["--scope", "team"])["artifacts"], 1);
        assert!(sums(&["artifact", "ls", "--json", "--scope", "team", "--store", &place]).is_empty());
    }
}

#[test]
fn a_server_that_is_away_keeps_nobody_from_work_behind_and_everybody_through() {
    for server in servers() {
        let remote = block_on(server.remote("away", Form::Binary));
        let away = Server { name: "away".into(), url: "http://127.0.0.1:9".into() };
        let folder = away.project(remote.bucket.place(), "behind", "binary");
        let ran = away.aivm(folder.path(), &["run", "p.aivm", "--in", "hello"]);
        assert!(ran.status.success() && text(&ran).contains("aivm store sync"), "{}", text(&ran));
        let settings = std::fs::read_to_string(folder.path().join("aivm.toml")).expect("settings");
        let through = settings.replace("behind", "through");
        std::fs::write(folder.path().join("aivm.toml"), through).expect("written");
        let ran = away.aivm(folder.path(), &["run", "p.aivm", "--in", "hello", "--id", "mine"]);
        assert!(!ran.status.success() && text(&ran).contains("E0871"), "{}", text(&ran));
        // It comes back; nothing is done twice, and nothing is lost.
        let back = settings.replace(&away.url, &server.url);
        std::fs::write(folder.path().join("aivm.toml"), back).expect("written");
        let ran = server.aivm(folder.path(), &["run", "p.aivm", "--in", "hello", "--id", "mine"]);
        assert!(ran.status.success(), "{}", text(&ran));
        let sync = server.aivm(folder.path(), &["store", "sync"]);
        assert!(sync.status.success(), "{}", text(&sync));
        assert_eq!(block_on(keys(&remote)), names(&server, folder.path(), Form::Binary), "{}", server.name);
        let runs = json(&server.aivm(folder.path(), &["store", "runs", "--json"]));
        assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2), "{runs}");
    }
}

/// `kill -9` at many moments, with values that go in parts: afterwards everything is there, and nothing that the store cannot name.
#[test]
fn kills_lose_nothing_and_leave_nothing_without_a_name() {
    let kills: u64 = std::env::var("AIVM_S3_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    for server in servers() {
        for mode in ["behind", "through"] {
            let remote = block_on(server.remote("kills", Form::Binary));
            let folder = server.project(remote.bucket.place(), mode, "binary");
            // Of more than a part, which few servers take in one piece.
            let big: String = (0..900_000u64).map(|nth| format!("{:012}\n", nth * 7_919 % 10_000_019)).collect();
            std::fs::write(folder.path().join("big.txt"), big).expect("written");
            for nth in 0..kills {
                let before = block_on(keys(&remote)).len();
                let begun = block_on(remote.bucket.uploads("")).expect("listed").len();
                let args = ["run", "p.aivm", "-q", "--in", "@big.txt", "--id", &format!("r{nth}")];
                let mut child = server.command(folder.path(), &args);
                let mut child = child.stdout(std::process::Stdio::null()).spawn().expect("it starts");
                // Once it sends, a little later each time.
                for _ in 0..600 {
                    let sends = block_on(async {
                        let uploads = remote.bucket.uploads("").await.expect("listed").len();
                        uploads > begun || keys(&remote).await.len() > before
                    });
                    if sends || child.try_wait().expect("its end").is_some() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                std::thread::sleep(Duration::from_millis(nth * 150 % 2_000));
                child.kill().expect("killed");
                child.wait().expect("gone");
            }
            let resumed = server.aivm(folder.path(), &["resume", "--all", "-q"]);
            assert!(resumed.status.success(), "{}", text(&resumed));
            let sync = server.aivm(folder.path(), &["store", "sync"]);
            assert!(sync.status.success(), "{}", text(&sync));
            let (there, names) = (block_on(keys(&remote)), names(&server, folder.path(), Form::Binary));
            assert_eq!(there, names, "{} {mode}", server.name);
            assert!(!there.is_empty(), "it was killed before it did anything");
            let runs = json(&server.aivm(folder.path(), &["runs", "--json"]));
            let runs: Vec<&str> =
                runs["runs"].as_array().expect("runs").iter().map(|run| run["run"].as_str().expect("a name")).collect();
            let other = server.project(remote.bucket.place(), mode, "binary");
            for run in runs {
                let verified = server.aivm(other.path(), &["verify", run]);
                assert!(verified.status.success(), "{} {mode} {run}: {}", server.name, text(&verified));
            }
            let uploads = block_on(remote.bucket.uploads("")).expect("listed");
            assert!(uploads.iter().all(|upload| names.contains(&upload.key)), "{uploads:?}");
            println!(
                "{} {mode}: {kills} kills, {} objects, {} uploads left over",
                server.name,
                there.len(),
                uploads.len()
            );
        }
    }
}
