//! A program that is tortured: how it ends when nothing goes wrong, and how somebody who looks at what it did settles what is
//! unknown.

use super::place::{Fault, Place, Said};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Calls that write, flush, rename, start a process, or follow on its start, and those that wait for one.
pub const CALLS: &str = "write,pwrite64,?pwritev,?writev,fsync,fdatasync,?rename,?renameat,?renameat2,?unlink,?unlinkat,\
    ?rmdir,ftruncate,?fallocate,?mkdir,?mkdirat,?link,clone3,?clone,?vfork,flock,?pidfd_open,wait4,epoll_wait";

/// Crashes and questions of one run that are more than enough.
const MOST_TURNS: usize = 60;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub status: String,
    pub output: String,
    /// Keys and outcomes.
    pub steps: BTreeSet<String>,
}

/// What a worker's call may do to the world, as its definition says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// It leaves no trace.
    Pure,
    /// It may be called again.
    Again,
    /// Somebody must look first.
    Once,
}

/// See the module.
pub struct Subject {
    pub name: String,
    pub folder: PathBuf,
    input: Option<String>,
    /// One thing after the other.
    linear: bool,
    /// Which branch is first is a matter of time.
    pub timed: bool,
    classes: HashMap<String, Class>,
    pub end: End,
    pub ledger: Vec<String>,
    /// Calls of the system, each with how often it is made.
    pub calls: Vec<(String, u64)>,
    _prepared: tempfile::TempDir,
}

/// The examples, and the programs that keep a ledger.
pub fn all() -> Vec<Subject> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = Vec::new();
    for parent in ["tests/torture/programs", "examples"] {
        let entries = std::fs::read_dir(root.join(parent)).expect("a folder").flatten();
        let mut found: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| {
                path.join("pipeline.aivm").is_file()
                    && (std::env::var("ONLY").is_err() || path.ends_with("write-program"))
            })
            .collect();
        found.sort();
        folders.extend(found);
    }
    folders.iter().map(|folder| Subject::of(folder)).collect()
}

pub fn one(name: &str) -> Subject {
    Subject::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/programs").join(name))
}

impl Subject {
    pub fn of(folder: &Path) -> Subject {
        let prepared = tempfile::tempdir().expect("a folder");
        let files = prepared.path().join("files");
        super::place::copy(folder, &files);
        for extra in ["picture.svg", "README.md", "expected.txt"] {
            let _ = std::fs::remove_file(files.join(extra));
        }
        // What only takes time takes less.
        let source = std::fs::read_to_string(files.join("pipeline.aivm")).expect("a program");
        let source = source.replace("sleep 5;", "sleep 0.15;").replace("sleep 0.6;", "sleep 0.03;");
        // A service does not hold the file by which a place knows that all have gone.
        let source = source.replace("exec sleep 600", "exec sleep 600 9>&-");
        std::fs::write(files.join("pipeline.aivm"), &source).expect("a program");
        let input = ["input.txt", "input.csv"].into_iter().find(|name| files.join(name).exists());
        let mut subject = Subject {
            name: folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned(),
            input: input.map(|name| format!("@{name}")),
            linear: !source.contains("join") && !source.contains(".*]"),
            timed: source.contains("sleep 0.03;"),
            classes: classes(&source),
            end: End { status: String::new(), output: String::new(), steps: BTreeSet::new() },
            ledger: Vec::new(),
            calls: Vec::new(),
            folder: files,
            _prepared: prepared,
        };
        let place = subject.place();
        let (said, calls) = place.count(CALLS, &subject.start());
        assert!(!said.is_unclean() && !said.status().is_empty(), "{}: {}", subject.name, said.show());
        let came = subject.carry(&place, said, Vec::new(), false).expect("it ends");
        subject.end = came.end.expect("it ends");
        (subject.ledger, subject.calls) = (place.lines("ledger"), calls);
        subject
    }

    /// A fresh folder for one try.
    pub fn place(&self) -> Place {
        Place::of(&self.folder)
    }

    /// How it is started.
    pub fn start(&self) -> Vec<&str> {
        let mut args = vec!["run", "pipeline.aivm", "--json"];
        args.extend(self.input.as_deref().map(|input| ["--in", input]).into_iter().flatten());
        args
    }

    /// What a run that has ended says of itself.
    pub fn end_of(&self, place: &Place, said: &Said) -> Result<End, String> {
        let run = said.json["run"].as_str().unwrap_or("");
        let output = match said.json["output"]["text"].as_str() {
            Some(text) => text.to_owned(),
            // Several values: as a person sees them.
            None => place.call(None, &["resume", run, "-q"]).text,
        };
        let rows = said.json["steps"].as_array().ok_or_else(|| format!("no steps: {}", said.show()))?;
        let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or("").to_owned();
        let steps = rows.iter().map(|row| format!("{} → {}", text(row, "key"), text(row, "outcome"))).collect();
        Ok(End { status: said.status().to_owned(), output, steps })
    }

    /// Did it end as it ends when nothing goes wrong?
    pub fn is_same(&self, end: &End) -> bool {
        if self.timed {
            return end.status == self.end.status && end.output.starts_with("from ");
        }
        *end == self.end
    }

    /// Goes on, whatever it takes, until the run has ended. `said` is what the call came to that was just made; `more` are the
    /// faults of those to come; with `failing` calls of the system failed, and a worker may have felt it.
    pub fn go_on(&self, place: &Place, said: Said, more: Vec<Fault>, failing: bool) -> Result<Recovery, String> {
        let came = self.carry(place, said, more, failing)?;
        self.check_ledger(place, &came)?;
        Ok(came)
    }

    fn carry(&self, place: &Place, said: Said, more: Vec<Fault>, failing: bool) -> Result<Recovery, String> {
        let mut came = Recovery { failing, ..Recovery::default() };
        let mut more = more.into_iter();
        let mut said = said;
        for _ in 0..MOST_TURNS {
            let died = said.code.is_none() || said.code == Some(137);
            came.kills += u64::from(died);
            if said.hung {
                return Err(format!("it hangs: {}", said.show()));
            }
            if matches!(said.status(), "sent" | "cancelled" | "failed" | "timeout") {
                came.error = said.error().to_owned();
                came.end = Some(self.end_of(place, &said)?);
                came.said = Some(said);
                return Ok(came);
            }
            let fault = more.next();
            if said.status() == "parked" && said.error() == "E0771" {
                let step = said.json["error"]["step"].as_str().unwrap_or("").to_owned();
                let run = said.json["run"].as_str().unwrap_or("").to_owned();
                self.check_unknown(place, &step)?;
                if !died && said.code != Some(4) {
                    return Err(format!("UNKNOWN ends with 4: {}", said.show()));
                }
                *came.unknown.entry(step.clone()).or_default() += 1;
                said = self.settle(place, fault.as_ref(), &run, &step, &mut came);
                continue;
            }
            if said.status() == "parked" && said.error() == "E0773" {
                // A person agrees.
                let run = said.json["run"].as_str().unwrap_or("").to_owned();
                said = place.call(fault.as_ref(), &["approve", &run, "--json"]);
                continue;
            }
            if failing && said.status() == "stuck" {
                // An undoer failed three times, as its calls did: once more; and what it had done all the same is said to be done.
                let rows = said.json["steps"].as_array().cloned().unwrap_or_default();
                let left = rows.iter().rfind(|row| row["outcome"] == "not-undone").and_then(|row| row["key"].as_str());
                let run = said.json["run"].as_str().unwrap_or("").to_owned();
                let mut args = vec!["rollback", &run, "--json"];
                args.extend(left.filter(|_| came.stuck > 0).map(|left| ["--done", left]).into_iter().flatten());
                came.stuck += 1;
                said = place.call(None, &args);
                continue;
            }
            if !died && came.turns > 0 {
                return Err(format!("it does not go on: {}", said.show()));
            }
            let runs = place.runs()?;
            said = match runs.as_slice() {
                [] => {
                    // What is pure needs no record before it.
                    if let Some(key) = place.lines("ledger").iter().find(|key| self.class(key) != Class::Pure) {
                        return Err(format!("{key} happened, and no run is recorded"));
                    }
                    came.begun_again += 1;
                    place.call(fault.as_ref(), &self.start())
                }
                [(run, _)] => place.call(fault.as_ref(), &["resume", run, "--json"]),
                several => return Err(format!("{} runs, and one was started", several.len())),
            };
            // A fault of a call that goes on is for its own part to judge.
            came.turns += u64::from(fault.is_none());
        }
        Err(format!("it does not end: {}", said.show()))
    }

    /// As somebody does it who looks whether the step happened.
    fn settle(&self, place: &Place, fault: Option<&Fault>, run: &str, step: &str, came: &mut Recovery) -> Said {
        let happened = match self.ledger.is_empty() {
            false => place.lines("ledger").iter().any(|line| line == step).then(|| format!("{}\n", worker_of(step))),
            true => {
                let there = |name: &str| place.work().join(name).exists();
                match step {
                    "switch.1/folder#1" => there("release").then(|| "release\n".to_owned()),
                    "switch.1/app#1" => there("app.pid").then(|| "version 2\n".to_owned()),
                    "switch.1/balancer#1" => there("balancer").then(|| "version 2\n".to_owned()),
                    "switch.1/folder#1~undo" => (!there("release")).then(String::new),
                    "switch.1/notes#1~undo" => (!there("release/NOTES")).then(String::new),
                    // What the other examples call may be called again.
                    _ => None,
                }
            }
        };
        match &happened {
            Some(output) => {
                came.happened += 1;
                place.call(fault, &["settle", run, step, "happened", "--output", output, "--json"])
            }
            None => {
                came.not_happened += 1;
                place.call(fault, &["settle", run, step, "not-happened", "--json"])
            }
        }
    }

    /// Only what must not be done twice is asked about, and only when its turn has come.
    fn check_unknown(&self, place: &Place, step: &str) -> Result<(), String> {
        if self.class(step) != Class::Once {
            return Err(format!("{step} is UNKNOWN, and may be repeated"));
        }
        if self.linear && !self.ledger.is_empty() {
            let turn = self.ledger.iter().position(|key| key == step);
            let turn = turn.ok_or_else(|| format!("{step} is UNKNOWN, and no step of it"))?;
            let done = place.lines("ledger");
            let (before, after) = (self.ledger.get(..turn).unwrap_or(&[]), self.ledger.get(turn + 1..).unwrap_or(&[]));
            if !before.iter().all(|key| done.contains(key)) || after.iter().any(|key| done.contains(key)) {
                return Err(format!("{step} is UNKNOWN, and not in flight: {done:?}"));
            }
        }
        Ok(())
    }

    /// Nothing is lost, nothing is there that should not be, nothing is done twice that must not.
    pub fn check_ledger(&self, place: &Place, came: &Recovery) -> Result<(), String> {
        let done = place.lines("ledger");
        let complete = came.end.as_ref().is_some_and(|end| self.is_same(end));
        for key in &self.ledger {
            let times = done.iter().filter(|line| *line == key).count() as u64;
            if times == 0 && complete && !came.could_not(key) {
                return Err(format!("{key} is lost: {done:?}"));
            }
            // An undoer that fails is tried three times.
            let tried = came.failing && key.ends_with("~undo");
            if times > 1 && !tried && (self.class(key) == Class::Once || came.kills == 0 && !came.failing) {
                return Err(format!("{key} was repeated: {done:?}"));
            }
        }
        // What a worker that failed leaves undone is undone, where there is an undoer.
        let known = |line: &String| {
            let step = line.strip_suffix("~undo").filter(|_| came.failing && !complete);
            self.ledger.contains(line) || step.is_some_and(|step| done.iter().any(|line| line == step))
        };
        match done.iter().find(|line| !known(line)) {
            Some(line) => Err(format!("{line} was never to be done")),
            None => Ok(()),
        }
    }

    fn class(&self, key: &str) -> Class {
        // An undoer's key is that of its step. The undoers of these programs are asked about, but for that of `pay`.
        match key.strip_suffix("~undo") {
            Some(step) if worker_of(step) == "pay" => Class::Again,
            Some(_) => Class::Once,
            None => self.classes.get(worker_of(key)).copied().unwrap_or(Class::Again),
        }
    }
}

/// What it took to come to the end.
#[derive(Debug, Default)]
pub struct Recovery {
    pub end: Option<End>,
    pub said: Option<Said>,
    pub error: String,
    pub kills: u64,
    pub stuck: u64,
    failing: bool,
    turns: u64,
    pub begun_again: u64,
    pub unknown: BTreeMap<String, u64>,
    pub happened: u64,
    pub not_happened: u64,
}

impl Recovery {
    /// The step's command could not even be started.
    fn could_not(&self, key: &str) -> bool {
        let rows = self.said.as_ref().and_then(|said| said.json["steps"].as_array());
        let mut rows = rows.into_iter().flatten();
        rows.any(|row| row["key"] == key && row["error"]["code"] == "E0715")
    }

    /// For the tally.
    pub fn counted(&self) -> super::ground::Tally {
        let mut tally = super::ground::Tally::default();
        tally.add("kills", self.kills);
        tally.add("never_began", self.begun_again);
        tally.add("unknown", self.unknown.values().sum());
        tally.add("settled_happened", self.happened);
        tally.add("settled_not_happened", self.not_happened);
        tally
    }
}

/// `switch.1/pay#3~undo` is a call of, or for, `pay`.
fn worker_of(key: &str) -> &str {
    let last = key.rsplit('/').next().unwrap_or(key);
    last.split('#').next().unwrap_or(last)
}

/// The classes that the program's own definitions say.
fn classes(source: &str) -> HashMap<String, Class> {
    let front = source.strip_prefix("+++").and_then(|rest| rest.split_once("\n+++")).map_or("", |(front, _)| front);
    let table: toml::Table = front.parse().expect("front matter");
    let workers = table.get("worker").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let class = |worker: &toml::Value| {
        let text = |name: &str| worker.get(name).and_then(toml::Value::as_str);
        match (text("run"), text("effect"), text("builtin")) {
            (Some(_), Some("pure"), _) => Class::Pure,
            (Some(_), Some("read" | "idempotent"), _) => Class::Again,
            // Nobody is asked about what a probe finds out.
            (Some(_), _, _) if worker.get("probe").is_some() => Class::Again,
            (Some(_), _, _) | (_, _, Some("save" | "write" | "move" | "remove" | "mkdir")) => Class::Once,
            _ => Class::Again,
        }
    };
    workers.iter().map(|(name, worker)| (name.clone(), class(worker))).collect()
}

/// The calls in a log of strace, of the program's own threads once the program itself runs, not those of its commands.
pub fn counted(log: &str) -> Vec<(String, u64)> {
    let mut by_thread: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut commands = BTreeSet::new();
    let first = log.split_whitespace().next().unwrap_or("");
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((name, _)) = rest.trim_start().split_once('(') else { continue };
        if name == "execve" && thread != first {
            commands.insert(thread);
        }
        if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            *by_thread.entry(thread).or_default().entry(name).or_default() += 1;
        }
    }
    let mut most: BTreeMap<String, u64> = BTreeMap::new();
    for (_, calls) in by_thread.iter().filter(|(thread, _)| !commands.contains(*thread)) {
        for (name, times) in calls.iter().filter(|(name, _)| !["execve", "sigaltstack"].contains(name)) {
            let most = most.entry((*name).to_owned()).or_default();
            *most = (*most).max(*times);
        }
    }
    most.into_iter().collect()
}
