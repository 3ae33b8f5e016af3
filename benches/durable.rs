//! Durable runs beside the raw limits of the same disk, measured in the same minute. The measuring is done by children of this
//! program: under `chrt -r 1` where that may be, since a task that was woken by a finished write otherwise waits for the tick of
//! the kernel; and because they are killed, and each has a peak of memory of its own.

use super::{Row, row, runtime};
use aivm_host::driver::{self, Ending, Options, Report};
use aivm_host::mint::Mint;
use aivm_host::recovery::Recovered;
use aivm_host::resume::{self, ResumeError, Resumer};
use aivm_host::store::disk::{Disk, Kept};
use aivm_host::store::{Appended, RunRow, Store, StoreError};
use aivm_host::trace::Nobody;
use aivm_host::work::Surroundings;
use aivm_lang::library::{Found, Shelf};
use aivm_schema::artifact::{Artifact, Checksum, Draft};
use aivm_schema::journal::{Body, Record, RunStarted};
use aivm_schema::module::{RunLimits, drafts};
use aivm_schema::worker::{Backoff, Does, Effect, MockAnswer, MockEntry, WorkerDefinition};
use aivm_vm::run::{Batch, Facts, Run};
use aivm_vm::verify::{VerifiedModule, verify};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The first argument of a child: what it is to measure.
pub const CHILD: &str = "--durable-child";

/// Bytes of the value that each step returns.
const VALUE: usize = 256;
const RUNS: usize = 1_000;
const BRANCHES: usize = 100;

/// All rows of the group.
pub fn durable(rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let real_time = Command::new("chrt").args(["-r", "1", "true"]).output().is_ok_and(|output| output.status.success());
    println!("durable: {}", if real_time { "under chrt -r 1" } else { "WITHOUT chrt -r 1: these figures mean little" });
    let child = |args: &[&str]| -> Child {
        let own = std::env::current_exe().expect("this program");
        let mut command = match real_time {
            true => Command::new("chrt"),
            false => Command::new(&own),
        };
        if real_time {
            command.args(["-r", "1"]).arg(&own);
        }
        command.arg(CHILD).args(args).stdout(Stdio::piped()).spawn().expect("a child")
    };
    let measure = |args: &[&str]| -> Value {
        let output = child(args).wait_with_output().expect("it ends");
        assert!(output.status.success(), "{args:?}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let number = |value: &Value, key: &str| value[key].as_f64().unwrap_or(f64::NAN);

    let chain = measure(&["chain", &at("chain")]);
    let raw = number(&chain, "raw");
    rows.push(row(
        "a sequential durable run, 256 B a step",
        number(&chain, "rate"),
        "steps/s",
        ("flushes of this disk, in between", raw),
        "≥ 0.7",
    ));
    rows.push(row("the same, its flushes", number(&chain, "flushes"), "a step", ("at least", 1.0), "≥ 1"));
    for (what, key, unit, bar) in [
        ("a step's flushes after 180,000 steps", "flushes", "a step", "equal"),
        ("a step's bytes after 180,000 steps, whose number is longer", "bytes", "B", "equal"),
        ("a step's time after 180,000 steps, in flushes of that moment", "time", "flushes", "≤ 1.25"),
    ] {
        let of = |window: &str| number(&chain[window], key);
        rows.push(row(what, of("late"), unit, ("after 100", of("early")), bar));
    }

    let large = measure(&["large", &at("large")]);
    rows.push(row(
        "a sequential durable run, each of its 100 steps a new value of 1 MB",
        number(&large, "rate"),
        "MB/s",
        ("files of that size, each flushed", number(&large, "raw")),
        "≥ 600 MB/s",
    ));

    let (rate, steps) = killed(child(&["many", &at("many")]), Path::new(&at("many")));
    println!("durable: killed; {steps} acknowledged steps are there with their values");
    let raw = measure(&["sqlite", &at("sqlite")]);
    rows.push(row(
        "1,000 durable runs at once, each step a new value, the best second",
        rate,
        "steps/s",
        ("SQLite alone, 100 rows of 1.2 kB a commit", number(&raw, "rate")),
        "≥ 100,000",
    ));

    let fans = ["fan1", "fan2", "fan3"].map(|name| number(&measure(&["fan", &at(name)]), "rate"));
    rows.push(row(
        "branches of durable 100-way joins, the best of three",
        fans.into_iter().fold(0.0, f64::max),
        "branches/s",
        ("SQLite alone, 100 rows of 1.2 kB a commit", number(&raw, "rate")),
        "≥ 60,000",
    ));

    for runs in ["100", "10000"] {
        measure(&["park", &at(runs), runs]);
    }
    let few = measure(&["unpark", &at("100"), "100"]);
    let many = measure(&["unpark", &at("10000"), "10000"]);
    let flushes = 10_000.0 / number(&many, "raw");
    rows.push(row(
        "10,000 parked runs found and resumed",
        number(&many, "seconds"),
        "s",
        ("as many flushes", flushes),
        "≤ 2 s",
    ));
    rows.push(row(
        "the same, the most memory that it held",
        number(&many, "peak"),
        "MiB",
        ("for 100", number(&few, "peak")),
        "+ 16 MB",
    ));
}

/// A child of [`durable`].
pub fn child(args: &[String]) {
    let [what, folder, rest @ ..] = args else { panic!("what is it to measure?") };
    let folder = Path::new(folder);
    let count = || rest.first().and_then(|text| text.parse().ok()).expect("a number");
    let json = match what.as_str() {
        "chain" => chain(folder),
        "large" => large(folder),
        "many" => many(folder),
        "sqlite" => sqlite(folder),
        "fan" => fan(folder),
        "park" => park(folder, count()),
        "unpark" => unpark(folder, count()),
        other => panic!("{other}?"),
    };
    println!("{json}");
}

/// A file that has its room, to append to and flush: the raw limit of the disk.
struct Raw {
    file: File,
    at: Cell<usize>,
}

impl Raw {
    const ROOM: usize = 8 << 20;
    const BLOCK: usize = 4_096;

    fn new(folder: &Path) -> Raw {
        let file = File::create(folder.join("raw")).expect("a file");
        file.write_all_at(&vec![1; Raw::ROOM], 0).expect("room");
        file.sync_all().expect("flushed");
        Raw { file, at: Cell::new(0) }
    }

    /// Appends and flushes a second, over so many.
    fn rate(&self, count: usize) -> f64 {
        let block = [2u8; Raw::BLOCK];
        let began = Instant::now();
        for _ in 0..count {
            self.file.write_all_at(&block, self.at.get() as u64).expect("written");
            self.file.sync_data().expect("flushed");
            self.at.set((self.at.get() + Raw::BLOCK) % Raw::ROOM);
        }
        count as f64 / began.elapsed().as_secs_f64()
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Bytes that this process has given to the system to write.
fn written() -> f64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find(|line| line.starts_with("wchar:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

/// The most memory that this process has held, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    let kibibytes: f64 = line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(f64::NAN);
    kibibytes / 1024.0
}

/// A program whose only worker, `x`, returns a new value at once; its calls are declared `idempotent`.
fn program(source: &str) -> VerifiedModule {
    let output = "x".repeat(VALUE);
    let entry = MockEntry::Full(MockAnswer { output: Some(output), ..MockAnswer::default() });
    program_of(source, WorkerDefinition { mock: Some(vec![entry]), ..WorkerDefinition::new(Does::Mock) })
}

fn program_of(source: &str, worker: WorkerDefinition) -> VerifiedModule {
    let shelf = Shelf { workers: [("x".to_owned(), Found::Worker(Box::new(worker)))].into(), ..Shelf::default() };
    verify(aivm_lang::compile("bench.aivm", source, &shelf).expect("it compiles").module).expect("verified")
}

fn facts(module: &VerifiedModule) -> Vec<Facts> {
    let fact = |worker: &aivm_schema::module::Worker| Facts {
        name: worker.name.clone(),
        digest: [1; 32],
        effect: Effect::Idempotent,
        scripted: true,
        backoff: Backoff::default(),
        key_ms: None,
        probed: false,
        question: None,
        timeout_ms: None,
        priority: 0,
    };
    module.module().workers.iter().map(fact).collect()
}

/// What the store of a run is told, and when.
struct Watching {
    kept: Kept,
    seen: Rc<dyn Fn(u64)>,
    appends: Cell<u64>,
}

impl Store for Watching {
    fn put(&self, artifact: &Artifact) {
        self.kept.put(artifact);
    }
    fn hold(&self, artifact: &Artifact) {
        self.kept.hold(artifact);
    }
    fn get(&self, checksum: Checksum) -> Option<Artifact> {
        self.kept.get(checksum)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.kept.flush()
    }
    fn begin(&self, run: RunRow) -> Result<(), StoreError> {
        self.kept.begin(run)
    }
    fn append(&self, batch: Batch) -> Appended {
        self.appends.set(self.appends.get() + 1);
        (self.seen)(self.appends.get());
        self.kept.append(batch)
    }
}

fn options(name: &str, limits: RunLimits) -> Options {
    let around = Surroundings {
        run: name.into(),
        workspace: std::env::temp_dir(),
        params: Default::default(),
        mock: false,
        outside: Default::default(),
        kept: aivm_host::kept::Kept::temporary(),
    };
    Options {
        around,
        limits,
        timeout_ms: None,
        trace: false,
        started: None,
        webhook: None,
        reuse: None,
        process: Rc::new(aivm_host::process::SystemProcess),
    }
}

/// Runs a program durably to its end; `seen` is told the number of each batch before it is written.
async fn go(
    disk: Disk,
    mint: Arc<Mint>,
    name: String,
    module: VerifiedModule,
    limits: RunLimits,
    seen: Rc<dyn Fn(u64)>,
) {
    go_on(disk, mint, name, module, limits, seen, b"in".to_vec()).await;
}

/// The same with another input.
async fn go_on(
    disk: Disk,
    mint: Arc<Mint>,
    name: String,
    module: VerifiedModule,
    limits: RunLimits,
    seen: Rc<dyn Fn(u64)>,
    input: Vec<u8>,
) {
    let kept = disk.keep();
    let [draft, _] = drafts(module.module(), &Default::default());
    let program = mint.seal(draft).expect("an artifact");
    let input = Draft { media_type: "text/plain".into(), payload: input, ..Draft::default() };
    let input = mint.seal(input).expect("an artifact");
    let (id, module_sum) = (name.clone(), program.checksum());
    let row = RunRow {
        id,
        started: mint.now(),
        status: String::new(),
        program: "b.aivm".into(),
        module: module_sum,
        quarantine: None,
    };
    kept.begin(row).expect("it begins");
    kept.put(&program);
    kept.put(&input);
    let started = RunStarted {
        run: name.clone(),
        program: program.checksum(),
        file: "b.aivm".into(),
        input: input.checksum(),
        limits,
        timeout_ms: None,
        workspace: "/".into(),
        params: Vec::new(),
        mock: false,
        principal: String::new(),
        version: String::new(),
        forked: None,
        cassette: None,
    };
    let store: Rc<dyn Store> = Rc::new(Watching { kept, seen, appends: Cell::new(0) });
    let mut nobody = Nobody;
    if limits.calls.is_some() {
        // Whoever resumes it knows its worker as it is.
        let options = Options { started: Some(started), ..options(&name, limits) };
        driver::run(module, input, options, store, mint, &mut nobody).await.expect("it runs");
        return;
    }
    let facts = facts(&module);
    let run = Run::start(module, input, limits, None, facts, mint.now(), Some(started));
    driver::drive(run, Vec::new(), options(&name, limits), store, mint, &mut nobody).await.expect("it runs");
}

fn mint() -> Arc<Mint> {
    Arc::new(Mint::system().expect("randomness"))
}

/// What some steps of a run took.
struct Window {
    seconds: f64,
    commits: u64,
    bytes: f64,
    /// Flushes a second of the disk right after it.
    raw: f64,
}

/// One run of 200,000 steps, one after the other; every so many steps the disk alone is measured, for the machine is not the
/// same from second to second.
fn chain(folder: &Path) -> Value {
    const STEPS: u64 = 5_000;
    const COUNT: u64 = 40;
    let disk = Disk::open(folder).expect("a store");
    let raw = Raw::new(folder);
    let windows: Rc<RefCell<Vec<Window>>> = Rc::default();
    let mark = {
        let disk = disk.clone();
        move || (Instant::now(), disk.commits(), written())
    };
    let began: Cell<Option<(Instant, u64, f64)>> = Cell::new(None);
    let seen: Rc<dyn Fn(u64)> = {
        let windows = windows.clone();
        Rc::new(move |batch| {
            if batch % STEPS != 100 {
                return;
            }
            let (ended, commits, bytes) = mark();
            if let Some((before, commits_before, bytes_before)) = began.get() {
                let seconds = (ended - before).as_secs_f64();
                let (commits, bytes) = (commits - commits_before, bytes - bytes_before);
                windows.borrow_mut().push(Window { seconds, commits, bytes, raw: raw.rate(500) });
            }
            began.set(Some(mark()));
        })
    };
    let module = program(&looping(200));
    runtime().block_on(go(disk.clone(), mint(), "chain".into(), module, RunLimits::default(), seen));
    let windows = windows.borrow();
    let steps = STEPS as f64;
    let part = |windows: &[Window]| {
        let count = steps * windows.len() as f64;
        json!({
            "time": median(windows.iter().map(|window| window.seconds * window.raw)) / steps,
            "flushes": windows.iter().map(|window| window.commits as f64).sum::<f64>() / count,
            "bytes": windows.iter().map(|window| window.bytes).sum::<f64>() / count,
        })
    };
    assert_eq!(windows.len() as u64, COUNT - 1);
    let of = |figure: fn(&Window) -> f64| median(windows.iter().map(figure));
    json!({
        "rate": steps / of(|window| window.seconds),
        "flushes": part(&windows)["flushes"],
        "raw": of(|window| window.raw),
        "early": part(&windows[..4]),
        "late": part(&windows[windows.len() - 4..]),
    })
}

/// A run of a hundred steps that each change a letter of a megabyte, durable before the next; the best of five, in turns with as many
/// files. Its worker is the built-in `replace`, journaled as if it reached outside.
fn large(folder: &Path) -> Value {
    const STEPS: usize = 100;
    let with = [("text".to_owned(), "x".into()), ("by".to_owned(), "y".into()), ("most".to_owned(), 1.into())];
    let replace = WorkerDefinition::new(Does::Builtin("replace".into()));
    let worker = WorkerDefinition { with: with.into_iter().collect(), ..replace };
    let module = program_of(&format!("out <= (\n switch <= (\n{} )\n) <= in\n", "  x => next\n".repeat(STEPS)), worker);
    let (disk, mint) = (Disk::open(folder).expect("a store"), mint());
    let (mut rate, mut raw) = (0.0f64, 0.0f64);
    for turn in 0..5 {
        // Another letter in front: no run has a value of another's.
        let value = format!("{turn}{}", "x".repeat((1 << 20) - 1)).into_bytes();
        let began = Instant::now();
        for nth in 0..STEPS {
            let mut file = File::create(folder.join(format!("plain{turn}-{nth}"))).expect("a file");
            file.write_all(&value).expect("written");
            file.sync_data().expect("flushed");
        }
        raw = raw.max(STEPS as f64 / began.elapsed().as_secs_f64());
        let batches: Rc<Cell<u64>> = Rc::default();
        let seen: Rc<dyn Fn(u64)> = {
            let batches = batches.clone();
            Rc::new(move |batch| batches.set(batch))
        };
        let (disk, mint, name, limits) = (disk.clone(), mint.clone(), format!("r{turn}"), RunLimits::default());
        let began = Instant::now();
        runtime().block_on(go_on(disk, mint, name, module.clone(), limits, seen, value));
        rate = rate.max(STEPS as f64 / began.elapsed().as_secs_f64());
        assert!(batches.get() > STEPS as u64, "each step is a batch of its own");
    }
    json!({"rate": rate, "raw": raw})
}

/// A loop of so many times a thousand steps.
fn looping(outer: u16) -> String {
    format!(
        "out <= (\n switch[outer]<{outer}> <= (\n  switch[inner]<1000> <= (\n   x => next\n   out <= match <= ( done => send  default => [inner.jump] )\n  )\n  out <= match <= ( done => send  default => [outer.jump] )\n )\n) <= in\n"
    )
}

/// A thousand runs, on a thread for each core; says now and then how many steps are acknowledged, until it is killed.
fn many(folder: &Path) -> Value {
    let disk = Disk::open(folder).expect("a store");
    let (mint, module) = (mint(), program(&looping(1_000)));
    let acknowledged = Arc::<AtomicU64>::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let carry = |thread: usize| {
        let (disk, mint, module, acknowledged) = (disk.clone(), mint.clone(), module.clone(), acknowledged.clone());
        move || {
            let tasks = tokio::task::LocalSet::new();
            for nth in (thread..RUNS).step_by(threads) {
                let acknowledged = acknowledged.clone();
                // When a run writes again, its batch before is durable: the first has no outcome.
                let seen: Rc<dyn Fn(u64)> = Rc::new(move |batch| {
                    acknowledged.fetch_add(u64::from(batch > 2), Ordering::Relaxed);
                });
                let (disk, mint, name) = (disk.clone(), mint.clone(), format!("r{nth}"));
                tasks.spawn_local(go(disk, mint, name, module.clone(), RunLimits::default(), seen));
            }
            runtime().block_on(tasks);
        }
    };
    for thread in 0..threads {
        std::thread::spawn(carry(thread));
    }
    let began = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(20));
        println!("{} {} {}", began.elapsed().as_micros(), acknowledged.load(Ordering::Relaxed), disk.commits());
        let _ = std::io::stdout().flush();
    }
}

/// Kills it after some seconds; what it had acknowledged must be there. Its steps in the best second, and how many were checked.
fn killed(mut child: Child, folder: &Path) -> (f64, u64) {
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    // Fifty times a second: the time, the steps, the flushes.
    let mut marks: Vec<(f64, f64, f64)> = Vec::new();
    for line in lines {
        let line = line.expect("a line");
        let mut numbers = line.split(' ').map(|number| number.parse::<f64>().expect("a number"));
        let mut next = || numbers.next().expect("three numbers");
        marks.push((next() / 1e6, next(), next()));
        if marks.last().is_some_and(|last| last.0 > 8.0) {
            break;
        }
    }
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
    marks.retain(|mark| mark.0 > 1.0);
    let last = *marks.last().expect("it took a while");
    // From each mark to the first that is a second later.
    let seconds = marks.iter().filter_map(|from| {
        let to = marks.iter().find(|to| to.0 >= from.0 + 1.0)?;
        Some(((to.1 - from.1) / (to.0 - from.0), (to.1 - from.1) / (to.2 - from.2)))
    });
    let (best, grouped) = seconds.max_by(|a, b| a.0.total_cmp(&b.0)).expect("more than a second");
    let all = (last.1 - marks[0].1) / (last.0 - marks[0].0);
    println!("durable: {grouped:.1} steps a flush; {all:.0} steps a second on the average of {:.0} s", last.0);
    let disk = Disk::open(folder).expect("the store");
    let mut found = 0;
    for nth in 0..RUNS {
        let kept = disk.look(&format!("r{nth}")).expect("reads").expect("the run");
        let mut journal = kept.journal().expect("its journal");
        while let Some((_, bytes)) = journal.record().expect("it is whole") {
            let Body::Outcome(outcome) = Record::from_bytes(&bytes).expect("a record").body else { continue };
            let output = outcome.result.expect("a value").artifact;
            assert_eq!(kept.get(output).expect("the value is there").payload().len(), VALUE);
            found += 1;
        }
    }
    assert!(found as f64 >= last.1, "{} were acknowledged, {found} are there", last.1);
    (best, last.1 as u64)
}

/// Rows a second of SQLite alone.
fn sqlite(folder: &Path) -> Value {
    std::fs::create_dir_all(folder).expect("a folder");
    let database = rusqlite::Connection::open(folder.join("raw.db")).expect("a database");
    database.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (row INTEGER PRIMARY KEY, bytes BLOB)").expect("a table");
    let (bytes, mut rate) = (vec![7u8; 1_200], 0.0f64);
    for _ in 0..5 {
        let began = Instant::now();
        for _ in 0..300 {
            database.execute_batch("BEGIN IMMEDIATE").expect("begins");
            for _ in 0..100 {
                database
                    .prepare_cached("INSERT INTO t (bytes) VALUES (?1)")
                    .expect("a statement")
                    .execute([&bytes])
                    .expect("a row");
            }
            database.execute_batch("COMMIT").expect("commits");
        }
        rate = rate.max(30_000.0 / began.elapsed().as_secs_f64());
    }
    json!({"rate": rate})
}

/// Joins of a hundred branches, one after the other.
fn fan(folder: &Path) -> Value {
    const ROUNDS: usize = 500;
    let disk = Disk::open(folder).expect("a store");
    let branches = "   x => next\n".repeat(BRANCHES);
    let module = program(&format!(
        "out <= (\n switch[outer]<{ROUNDS}> <= (\n  x => next\n  join <= (\n{branches}  )\n  out <= match <= ( done => send  default => [outer.jump] )\n )\n) <= in\n"
    ));
    let began = Instant::now();
    runtime().block_on(go(disk, mint(), "fan".into(), module, RunLimits::default(), Rc::new(|_| {})));
    json!({"rate": (ROUNDS * BRANCHES) as f64 / began.elapsed().as_secs_f64()})
}

/// Leaves so many runs that have spent their limit.
fn park(folder: &Path, runs: usize) -> Value {
    let disk = Disk::open(folder).expect("a store");
    let (mint, module) = (mint(), program(&looping(1)));
    let limits = RunLimits { calls: Some(1), ..RunLimits::default() };
    for from in (0..runs).step_by(RUNS) {
        let tasks = tokio::task::LocalSet::new();
        for nth in from..runs.min(from + RUNS) {
            tasks.spawn_local(go(
                disk.clone(),
                mint.clone(),
                format!("r{nth}"),
                module.clone(),
                limits,
                Rc::new(|_| {}),
            ));
        }
        runtime().block_on(tasks);
    }
    json!({})
}

/// Each takes a step more and parks again.
struct OneMore {
    mint: Arc<Mint>,
    came: usize,
}

impl Resumer for OneMore {
    fn how(&mut self, recovered: &mut Recovered) -> Options {
        let limits = RunLimits { calls: Some(2), ..RunLimits::default() };
        recovered.run.raise(self.mint.now(), limits);
        options(&recovered.started.run, limits)
    }

    fn came(&mut self, _row: &RunRow, came: Result<(Report, VerifiedModule), ResumeError>) -> bool {
        let (report, _) = came.expect("it runs");
        assert!(matches!(report.ending, Ending::Parked(..)));
        self.came += 1;
        true
    }
}

/// Finds them and goes on with them, as `aivm resume --all` does.
fn unpark(folder: &Path, runs: usize) -> Value {
    let raw = Raw::new(folder);
    let raw = median((0..5).map(|_| raw.rate(500)));
    let began = Instant::now();
    let disk = Disk::open(folder).expect("the store");
    let mint = mint();
    let mut more = OneMore { mint: mint.clone(), came: 0 };
    runtime().block_on(resume::all(&disk, "parked", &mint, &mut more)).expect("all go on");
    assert_eq!(more.came, runs);
    json!({"seconds": began.elapsed().as_secs_f64(), "peak": peak(), "raw": raw})
}
