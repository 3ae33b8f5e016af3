//! `cargo bench`: one command, one table. Each figure stands beside a limit or a peer measured in the same run, since the
//! machine is shared: read the ratios. Writes `benches/RESULTS.md` and `benches/results.json`; `--json` prints JSON, too.
//!
//! Begin it when nothing has been built or deleted on that disk for five minutes: ext4 passes over each inode that was freed lately
//! before it gives a new one, and half a millisecond is what a file costs then.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use aivm_host::driver::{self, Options};
use aivm_host::mint::Mint;
use aivm_host::pool::Pool;
use aivm_host::store::Memory;
use aivm_host::trace::Nobody;
use aivm_host::work::Surroundings;
use aivm_lang::library::{Found, Shelf};
use aivm_schema::artifact::{Artifact, Draft};
use aivm_schema::module::RunLimits;
use aivm_schema::worker::{Does, MockAnswer, MockEntry, WorkerDefinition};
use aivm_vm::verify::{VerifiedModule, verify};
use aivm_vm::{Action, Answer, Machine, Usage};
use serde_json::json;
use std::fmt::Write;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

mod durable;
mod editor;
#[cfg(feature = "models")]
mod models;
#[cfg(feature = "memory")]
#[path = "memory.rs"]
mod recall;
mod storage;

/// One line of the table.
struct Row {
    what: &'static str,
    figure: f64,
    unit: &'static str,
    limit: f64,
    /// What the limit is.
    beside: &'static str,
    bar: &'static str,
}

fn row(what: &'static str, figure: f64, unit: &'static str, beside: (&'static str, f64), bar: &'static str) -> Row {
    Row { what, figure, unit, limit: beside.1, beside: beside.0, bar }
}

/// The least of some tries: what the code takes when the machine lets it.
fn least(tries: usize, mut once: impl FnMut() -> f64) -> f64 {
    (0..tries).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// Seconds that something takes.
fn seconds(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// The middle of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What a sandbox adds to a command: two runs of a hundred commands each, one after the other, with one and without.
fn sandbox(rows: &mut Vec<Row>) {
    const COMMANDS: usize = 100;
    let folder = tempfile::tempdir().expect("a folder");
    let steps = vec!["x => next"; COMMANDS].join("  ");
    let text =
        format!("+++\n[worker.x]\nrun = [\"true\"]\neffect = \"pure\"\n+++\nout <= ( switch <= ( {steps} ) ) <= in\n");
    std::fs::write(folder.path().join("p.aivm"), text).expect("a file");
    let run = |means: &str| {
        let args = ["run", "p.aivm", "--in", "x", "--ephemeral", "-q", "--sandbox", means];
        let mut command = Command::new(env!("CARGO_BIN_EXE_aivm"));
        let output = command.args(args).current_dir(folder.path()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let each = |means: &str| seconds(|| run(means)) * 1e3 / COMMANDS as f64;
    for (means, what) in [("bwrap", "a command in bubblewrap"), ("landlock", "a command in Landlock")] {
        // In pairs, each beside the other in time.
        let pairs: Vec<(f64, f64)> = (0..9).map(|_| (each("none"), each(means))).collect();
        let alone = median(pairs.iter().map(|(alone, _)| *alone).collect());
        let held = median(pairs.iter().map(|(_, held)| *held).collect());
        rows.push(row(what, held, "ms", ("without", alone), "≤ 15 ms more"));
    }
}

type Group = fn(&mut Vec<Row>);

/// The groups of figures: `cargo bench -- machine join` takes two of them, and writes nothing. Whole processes come first: the
/// most memory that a child held begins with what its parent held when it was made.
const GROUPS: &[(&str, Group)] = &[
    ("process", whole_process),
    ("sandbox", sandbox),
    ("durable", durable::durable),
    #[cfg(feature = "models")]
    ("models", models::models),
    ("storage", storage::storage),
    #[cfg(feature = "memory")]
    ("recall", recall::recall),
    ("compile", compiling),
    ("editor", editor::editing),
    ("machine", machine),
    ("memory", memory),
    ("run", running),
    ("join", branches),
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let Some((durable::CHILD, rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return durable::child(rest);
    }
    #[cfg(feature = "models")]
    if let Some((models::CHILD, rest)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return models::carry_out(rest);
    }
    let wanted: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let mut rows = Vec::new();
    for (name, group) in GROUPS {
        if wanted.is_empty() || wanted.contains(&&(*name).to_owned()) {
            group(&mut rows);
        }
    }
    let table = table(&rows);
    let json: Vec<_> = rows
        .iter()
        .map(|row| json!({"what": row.what, "figure": row.figure, "unit": row.unit, "limit": row.limit, "beside": row.beside, "bar": row.bar}))
        .collect();
    let json = json!({"v": 1, "rows": json});
    if args.iter().any(|arg| arg == "--json") {
        println!("{json}");
    } else {
        print!("{table}");
    }
    if wanted.is_empty() {
        write("RESULTS.md", &format!("{HEAD}{table}"));
        write("results.json", &format!("{json:#}\n"));
    }
}

const HEAD: &str = "# Results

Written by `cargo bench`, which writes `results.json` too. Each figure stands beside a limit or peer measured in the same run, on a
machine of two cores that others share: read the ratios.

";

fn write(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(name);
    if let Err(error) = std::fs::write(&path, text) {
        eprintln!("cannot write {}: {error}", path.display());
    }
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| what | figure | beside it, in the same run | ratio | bar |\n| --- | ---: | ---: | ---: | --- |\n",
    );
    for row in rows {
        let _ = writeln!(
            out,
            "| {} | {:.1} {} | {}: {:.1} {} | {:.2} | {} |",
            row.what,
            row.figure,
            row.unit,
            row.beside,
            row.limit,
            row.unit,
            row.figure / row.limit,
            row.bar
        );
    }
    out
}

/// A program as people write them, of about `size` bytes.
fn program(size: usize) -> String {
    let mut text = String::from("; a generated program\nout <= (\n");
    let mut stages = 0;
    while text.len() < size {
        if stages > 0 {
            text.push_str(" <= ");
        } else {
            text.push_str("    ");
        }
        let _ = write!(
            text,
            "switch[stage{stages}]<5> <= (\n        reason  => next | cancel        ; think first\n        plan    => next | back | cancel\n        execute<3> => next | back * 2 | retry * 2 | cancel\n        [verify <= stage{stages}.plan.out, in] => back | continue\n        out <= match <= (\n            done    => send\n            good    => send\n            default => [stage{stages}.jump]\n        )\n    ) <= join <= (\n        analyze => next\n        out <= select <= (\n            model<5>    => next | cancel\n            optimize ~ undo => next | back\n        )\n    )"
        );
        stages += 1;
    }
    text.push_str("\n) <= in\n");
    text
}

fn compiling(rows: &mut Vec<Row>) {
    let shelf = Shelf { anything: true, ..Shelf::default() };
    let speed = |set: &[String], work: &dyn Fn(&str)| {
        let bytes: usize = set.iter().map(String::len).sum();
        bytes as f64 / 1e6 / least(5, || seconds(|| set.iter().for_each(|source| work(source))))
    };
    let whole = |source: &str| {
        let compiled = aivm_lang::compile("bench.aivm", source, &shelf).expect("it compiles");
        verify(compiled.module).expect("it is verified");
    };
    let set: Vec<String> = [2_000, 20_000, 200_000].into_iter().map(program).collect();
    let lex = speed(&set, &|source| drop(aivm_lang::lexer::lex(source, 0)));
    let parse = speed(&set, &|source| drop(aivm_lang::parser::parse(source)));
    rows.push(row("lexing and parsing", parse, "MB/s", ("lexing alone", lex), ""));
    let compile = speed(&set, &whole);
    rows.push(row("source to verified module", compile, "MB/s", ("lexing alone", lex), "≥ 20 MB/s"));
    let large = speed(&[program(1_000_000)], &whole);
    let small = speed(&vec![program(100_000); 10], &whole);
    rows.push(row("the same, a file of 1 MB", large, "MB/s", ("ten of 100 kB", small), "linear"));
    let speed = |set: &[String]| speed(set, &whole);
    let nested = |deep: usize, wide: usize| {
        let tower = "switch <= ( a => next  out <= ".repeat(deep) + "switch <= ( b => send ) " + &") ".repeat(deep);
        format!("out <= ( {} ) <= in", vec![tower; wide].join(" <= "))
    };
    let (deep, flat) = (speed(&[nested(60, 100)]), speed(&[nested(6, 1_000)]));
    rows.push(row("the same, nested 60 deep", deep, "MB/s", ("nested 6 deep", flat), "linear"));
    let chain =
        |stages| format!("out <= ( {} ) <= in", vec!["switch <= ( reason => next | cancel )"; stages].join(" <= "));
    let (long, short) = (speed(&[chain(20_000)]), speed(&vec![chain(2_000); 10]));
    rows.push(row("the same, a chain of 20,000 stages", long, "MB/s", ("ten of 2,000", short), "linear"));
    let steps = |steps| format!("out <= ( switch <= ( {} ) ) <= in", "reason => next | back | cancel ".repeat(steps));
    let (many, few) = (speed(&[steps(20_000)]), speed(&vec![steps(2_000); 10]));
    rows.push(row("the same, 20,000 steps in one stage", many, "MB/s", ("ten of 2,000", few), "linear"));
    let takes = |set: &[String]| least(3, || seconds(|| set.iter().for_each(|source| whole(source)))) * 1e3;
    let (one, ten) = (takes(&[workflow(10_000)]), takes(&vec![workflow(1_000); 10]));
    rows.push(row("a workflow.toml of 10,000 steps to its verified module", one, "ms", ("ten of 1,000", ten), "≤ 1 s"));
}

/// A workflow in which each step needs the one before it, and every seventh two more.
fn workflow(steps: usize) -> String {
    let mut text = String::from("id = \"many\"\n");
    for at in 0..steps {
        let more = if at.is_multiple_of(7) { vec![at / 2, at / 3] } else { Vec::new() };
        let mut needs: Vec<usize> = at.checked_sub(1).into_iter().chain(more).filter(|need| *need < at).collect();
        needs.sort_unstable();
        needs.dedup();
        let needs: Vec<String> = needs.iter().map(|need| format!("\"s{need}\"")).collect();
        let _ = writeln!(text, "[steps.s{at}]\nrun = \"true\"\nneeds = [{}]", needs.join(", "));
    }
    text
}

/// Compiles a program whose only worker, `x`, returns "x".
fn echoing(source: &str) -> VerifiedModule {
    let entry = MockEntry::Full(MockAnswer { output: Some("x".into()), ..MockAnswer::default() });
    let worker = WorkerDefinition { mock: Some(vec![entry]), ..WorkerDefinition::new(Does::Mock) };
    let shelf = Shelf { workers: [("x".to_owned(), Found::Worker(Box::new(worker)))].into(), ..Shelf::default() };
    verify(aivm_lang::compile("loop.aivm", source, &shelf).expect("it compiles").module).expect("verified")
}

/// A loop of as many steps as one count allows.
fn plain_loop() -> VerifiedModule {
    echoing("out <= ( switch <= ( x => next  x<65535> => back ) ) <= in\n")
}

/// A loop of `outer` times a thousand steps, each with a `match` behind it.
fn judged_loop(outer: u16) -> VerifiedModule {
    echoing(&format!(
        "out <= (\n switch[outer]<{outer}> <= (\n  switch[inner]<1000> <= (\n   x => next\n   out <= match <= ( done => send  default => [inner.jump] )\n  )\n  out <= match <= ( done => send  default => [outer.jump] )\n )\n) <= in\n"
    ))
}

fn input() -> Artifact {
    Draft { media_type: "text/plain".into(), payload: b"in".to_vec(), ..Draft::default() }
        .seal(1_000_000, [0; 10])
        .expect("an artifact")
}

/// Runs a machine whose workers return what they get.
fn spin(module: &VerifiedModule) -> u64 {
    let mut machine = Machine::start(module.clone(), input(), RunLimits::default());
    let (mut calls, mut fuel) = (0, u64::MAX);
    loop {
        match machine.step(&mut fuel) {
            Action::Call(call) => {
                calls += 1;
                let answer = Answer::Done { output: call.input, verdict: None, usage: Usage::default() };
                machine.complete(call.request, answer).expect("an answer");
            }
            Action::End(_) => return calls,
            _ => {}
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn machine(rows: &mut Vec<Row>) {
    let step = |module: VerifiedModule, rounds: u64| {
        least(5, || {
            let mut calls = 0;
            seconds(|| calls = (0..rounds).map(|_| spin(&module)).sum()) * 1e9 / calls as f64
        })
    };
    let plain = step(plain_loop(), 8);
    let judged = step(judged_loop(1_000), 1);
    let runtime = runtime();
    let spawn = least(3, || {
        seconds(|| {
            runtime.block_on(async {
                for _ in 0..100_000 {
                    tokio::spawn(async {}).await.expect("a task");
                }
            });
        }) * 1e9
            / 100_000.0
    });
    rows.push(row("a step of the machine alone, over a million", plain, "ns", ("a tokio spawn", spawn), "≤ 120 ns"));
    rows.push(row("the same with a `match` and a jump behind each step", judged, "ns", ("a tokio spawn", spawn), ""));
}

/// Kibibytes that this process holds.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(f64::NAN)
}

/// What ten million steps leave behind.
fn memory(rows: &mut Vec<Row>) {
    let module = judged_loop(10_000);
    let mut machine = Machine::start(module, input(), RunLimits::default());
    let mut fuel = u64::MAX;
    let (mut calls, mut before) = (0u32, 0.0);
    loop {
        match machine.step(&mut fuel) {
            Action::Call(call) => {
                calls += 1;
                if calls == 100_000 {
                    before = resident();
                }
                let answer = Answer::Done { output: call.input, verdict: None, usage: Usage::default() };
                machine.complete(call.request, answer).expect("an answer");
            }
            Action::End(_) => break,
            _ => {}
        }
    }
    assert_eq!(calls, 10_000_000);
    let after = resident();
    rows.push(row("memory after ten million steps", after, "KiB", ("after 100,000", before), "flat"));
}

fn options(trace: bool) -> Options {
    Options {
        around: Surroundings {
            run: "bench".into(),
            workspace: std::env::temp_dir(),
            kept: aivm_host::kept::Kept::temporary(),
            params: Default::default(),
            mock: false,
            outside: Default::default(),
        },
        limits: RunLimits::default(),
        timeout_ms: None,
        trace,
        webhook: None,
        reuse: None,
        started: None,
        process: Rc::new(aivm_host::process::SystemProcess),
    }
}

fn running(rows: &mut Vec<Row>) {
    let module = judged_loop(100);
    let mint = Arc::new(Mint::system().expect("randomness"));
    let run = |module: VerifiedModule| {
        let mut nobody = Nobody;
        let work = driver::run(module, input(), options(true), Rc::new(Memory::default()), mint.clone(), &mut nobody);
        runtime().block_on(work).expect("it runs").steps.len()
    };
    let step = least(3, || {
        let mut steps = 0;
        seconds(|| steps = run(module.clone())) * 1e6 / steps as f64
    });
    let seal = least(3, || {
        seconds(|| {
            for _ in 0..100_000 {
                let draft = Draft {
                    media_type: "text/plain".into(),
                    origin: "x".into(),
                    payload: b"x".to_vec(),
                    ..Draft::default()
                };
                std::hint::black_box(mint.seal(draft).expect("an artifact"));
            }
        }) * 1e6
            / 100_000.0
    });
    rows.push(row(
        "a step of an ephemeral run, with a new artifact and a row of the trace",
        step,
        "µs",
        ("making the artifact alone", seal),
        "≤ 3 µs",
    ));
}

fn branches(rows: &mut Vec<Row>) {
    const BRANCHES: usize = 1_000;
    let elements = " clean => next\n".repeat(BRANCHES);
    let source = format!("out <= ( join <= (\n{elements}) ) <= in\n");
    let page = aivm_host::stdlib::page("clean").expect("a page");
    let worker = WorkerDefinition::from_markdown(page).expect("a worker");
    let shelf = Shelf { workers: [("clean".to_owned(), Found::Worker(Box::new(worker)))].into(), ..Shelf::default() };
    let module =
        verify(aivm_lang::compile("join.aivm", &source, &shelf).expect("it compiles").module).expect("verified");
    let mint = Arc::new(Mint::system().expect("randomness"));
    let branch = least(20, || {
        let mut nobody = Nobody;
        let work =
            driver::run(module.clone(), input(), options(false), Rc::new(Memory::default()), mint.clone(), &mut nobody);
        seconds(|| drop(runtime().block_on(work).expect("it runs"))) * 1e6 / BRANCHES as f64
    });
    let pool = Pool::of_machine().expect("threads");
    let job = least(20, || {
        seconds(|| {
            let (done, finished) = std::sync::mpsc::channel();
            for _ in 0..BRANCHES {
                let done = done.clone();
                pool.run(Box::new(move || {
                    let _ = done.send(());
                }));
            }
            drop(done);
            assert_eq!(finished.iter().count(), BRANCHES);
        }) * 1e6
            / BRANCHES as f64
    });
    rows.push(row(
        "a branch of a join as a job of the pool",
        least(20, || seconds(|| spread(&module, &pool)) * 1e6 / BRANCHES as f64),
        "µs",
        ("an empty job of the pool", job),
        "≤ 1 µs",
    ));
    rows.push(row(
        "a branch of a join in an ephemeral run, with its built-in and a new artifact",
        branch,
        "µs",
        ("an empty job of the pool", job),
        "",
    ));
}

/// Runs a machine each of whose calls is a job of the pool, and returns what it gets.
fn spread(module: &VerifiedModule, pool: &Pool) {
    let mut machine = Machine::start(module.clone(), input(), RunLimits::default());
    let (done, finished) = std::sync::mpsc::channel();
    let mut fuel = u64::MAX;
    loop {
        match machine.step(&mut fuel) {
            Action::Call(call) => {
                let done = done.clone();
                pool.run(Box::new(move || {
                    let answer = Answer::Done { output: call.input, verdict: None, usage: Usage::default() };
                    let _ = done.send((call.request, answer));
                }));
            }
            Action::Wait => {
                for (request, answer) in finished.recv().into_iter().chain(finished.try_iter()) {
                    machine.complete(request, answer).expect("an answer");
                }
            }
            Action::Make(make) => machine.made(make.request, input()).expect("parts"),
            Action::End(_) => return,
            _ => {}
        }
    }
}

/// A whole process: the three-step program, warm and in an empty folder.
fn whole_process(rows: &mut Vec<Row>) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let program = "out <= ( switch <= ( clean => next  sort => next  count => send ) ) <= in\n";
    if std::fs::write(folder.path().join("p.aivm"), program).is_err() {
        return;
    }
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(folder.path()).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let aivm = env!("CARGO_BIN_EXE_aivm");
    let args = ["run", "p.aivm", "--in", "b\na\n", "--json"];
    let empty = least(5, || {
        let _ = std::fs::remove_dir_all(folder.path().join(".aivm"));
        seconds(|| run(aivm, &args)) * 1e3
    });
    let warm = least(20, || seconds(|| run(aivm, &args)) * 1e3);
    let nothing = least(20, || seconds(|| run("true", &[])) * 1e3);
    rows.push(row("three steps, the whole process, warm store", warm, "ms", ("`true`", nothing), "≤ 8 ms"));
    rows.push(row("three steps, the whole process, empty folder", empty, "ms", ("`true`", nothing), "≤ 15 ms"));
    let peak = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).expect("usage").max_rss();
    rows.push(row("the same, the most memory that it held", peak as f64 / 1024.0, "MiB", ("the bar", 20.0), "≤ 20 MB"));
}
