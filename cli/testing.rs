//! `aivm test`: pipelines are run as the files beside them say, and what comes is held against what is expected. Each test runs
//! for itself, in a folder of its own that goes with it, and keeps nothing: the user's files are only read, but for snapshots.
//!
//! `file` reads test files, `trial` carries one test out by `once`, `expect` and `path` judge what came, `show` tells it.

use crate::args::{Global, TestArgs};
use crate::fail::{Exit, Failure};
use crate::load;
use crate::project;
use aivm_lang::draw::{self, Edge};
use file::Suite;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use trial::{Mode, Trial};

mod expect;
mod file;
mod judge;
mod once;
mod path;
mod show;
mod trial;

/// How the name of a test file ends.
const ENDING: &str = ".test.toml";
/// So many folders deep test files are looked for.
const MOST_DEPTH: usize = 64;

/// `aivm test [FILE…]`.
pub fn test(global: &Global, args: &TestArgs) -> Result<Exit, Failure> {
    let suites = read(global, args)?;
    let mode = Mode { accept: args.accept, record: args.record };
    let chosen = |name: &str| args.filter.as_ref().is_none_or(|part| name.contains(part.as_str()));
    let jobs: Vec<(usize, usize)> = suites
        .iter()
        .enumerate()
        .flat_map(|(at, suite)| (0..suite.cases.len()).map(move |case| (at, case)))
        .filter(|(at, case)| {
            suites.get(*at).and_then(|suite| suite.cases.get(*case)).is_some_and(|case| chosen(&case.name))
        })
        .collect();
    if let (true, Some(part)) = (jobs.is_empty(), &args.filter) {
        let all: usize = suites.iter().map(|suite| suite.cases.len()).sum();
        return Err(Failure::usage("E0981", format!("no test has `{part}` in its name, of {all}")));
    }
    let mut shown = show::Shown::new(global.json, &suites);
    let trials = run(&suites, &jobs, mode, |at, trial| shown.trial(at, trial));
    let interrupted = trials.len() < jobs.len() || trials.iter().any(|(_, trial)| trial.interrupted);
    let coverage = coverage(&suites, &trials);
    shown.end(&suites, &trials, &coverage, args);
    if let Some(file) = &args.junit {
        let text = show::junit(&suites, &trials);
        std::fs::write(file, text).map_err(|error| {
            Failure::failed("E0983", format!("the report {} cannot be written: {error}", file.display()))
        })?;
    }
    let mut exit = if trials.iter().any(|(_, trial)| trial.failed()) { Exit::FAILED } else { Exit::SENT };
    if let Some(least) = args.fail_under {
        for (suite, covered) in suites.iter().zip(&coverage).filter(|(_, covered)| covered.percent() < least) {
            let message =
                format!("the tests of {} take {} of its edges, and {least} % are wanted", suite.program.name, covered);
            let help = "--coverage lists the edges that no test takes";
            exit = Failure::failed("E0984", message).help(help).show(false);
        }
    }
    Ok(if interrupted { Exit::INTERRUPTED } else { exit })
}

/// All test files, with the programs that they are of. All that are broken are told; nothing is run then.
fn read(global: &Global, args: &TestArgs) -> Result<Vec<Suite>, Failure> {
    let files = found(&args.files)?;
    let (mut suites, mut broken) = (Vec::new(), Vec::new());
    for path in files {
        match Suite::read(&path, args.record) {
            Ok(suite) => suites.push(suite),
            Err(failure) => broken.push(failure),
        }
    }
    let Some(last) = broken.pop() else { return Ok(suites) };
    // As JSON there is one object.
    if !global.json {
        broken.iter().for_each(|failure| _ = failure.show(false));
    }
    Err(last)
}

/// The test files that are meant: named, of a program that is named, or beneath a folder.
fn found(named: &[String]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = BTreeSet::new();
    let here = [".".to_owned()];
    for name in if named.is_empty() { &here } else { named } {
        load::is_a_file(name)?;
        let path = Path::new(name);
        if path.is_dir() {
            let before = files.len();
            beneath(path, 0, &mut files);
            if files.len() == before {
                return Err(Failure::usage("E0981", format!("there is no test file beneath {}", path.display()))
                    .help(format!("tests of NAME.aivm stand in NAME{ENDING} beside it: see docs/testing.md")));
            }
        } else if let Some(stem) = name.strip_suffix(".aivm") {
            files.insert(PathBuf::from(format!("{stem}{ENDING}")));
        } else if name.ends_with(ENDING) {
            files.insert(path.to_path_buf());
        } else {
            let message = format!("{name} is no test file: its name does not end in {ENDING}");
            return Err(Failure::usage("E0981", message).help("name a test file, a program, or a folder"));
        }
    }
    Ok(files.into_iter().collect())
}

fn beneath(folder: &Path, depth: usize, files: &mut BTreeSet<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        // A link to a folder may lead around.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            if !name.starts_with('.') && name != "target" && depth < MOST_DEPTH {
                beneath(&path, depth + 1, files);
            }
        } else if name.ends_with(ENDING) {
            files.insert(path.strip_prefix(".").map(Path::to_path_buf).unwrap_or(path));
        }
    }
}

/// Runs the tests on all cores. They are told in their order, each as soon as those before it have ended. Nothing more is begun
/// once somebody has asked to stop.
fn run(
    suites: &[Suite],
    jobs: &[(usize, usize)],
    mode: Mode,
    mut tell: impl FnMut(usize, &Trial),
) -> Vec<(usize, Trial)> {
    let lanes = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, came) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..lanes {
            let (sender, next, stopped) = (sender.clone(), &next, &stopped);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    let Some((suite, case)) = jobs.get(nth) else { break };
                    let Some(suite) = suites.get(*suite) else { break };
                    let Some(case) = suite.cases.get(*case) else { break };
                    let trial = trial::run(suite, case, mode);
                    stopped.fetch_or(trial.interrupted, Ordering::Relaxed);
                    if sender.send((nth, trial)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = std::collections::BTreeMap::new();
        let mut told = Vec::with_capacity(jobs.len());
        for (nth, trial) in came {
            waiting.insert(nth, trial);
            while let Some(trial) = waiting.remove(&told.len()) {
                let suite = jobs.get(told.len()).map_or(0, |(suite, _)| *suite);
                tell(suite, &trial);
                told.push((suite, trial));
            }
        }
        told
    })
}

/// Which edges of a program its tests took.
struct Coverage {
    edges: Vec<Edge>,
}

impl Coverage {
    /// Of those of which it is known.
    fn counts(&self) -> (usize, usize) {
        let known = self.edges.iter().filter_map(|edge| edge.taken);
        let all = known.clone().count();
        (known.filter(|taken| *taken > 0).count(), all)
    }

    fn percent(&self) -> f64 {
        match self.counts() {
            (_, 0) => 100.0,
            (taken, all) => taken as f64 * 100.0 / all as f64,
        }
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (taken, all) = self.counts();
        // Only all of them are all of them.
        write!(f, "{taken} of {all}, {} %", self.percent().floor())
    }
}

/// Of each file, in their order.
fn coverage(suites: &[Suite], trials: &[(usize, Trial)]) -> Vec<Coverage> {
    let of = |at: usize, suite: &Suite| {
        let Some((_, compiled)) = &suite.program.compiled else { return Coverage { edges: Vec::new() } };
        let paths: Vec<draw::Path> = trials
            .iter()
            .filter(|(whose, trial)| *whose == at && !trial.status.is_empty())
            .map(|(_, trial)| {
                let calls = trial.steps.iter().map(|step| (step.key.as_str(), step.outcome.as_str()));
                draw::Path::of(&compiled.flow, trial.status, calls)
            })
            .collect();
        Coverage { edges: draw::coverage(&compiled.flow, &paths) }
    };
    suites.iter().enumerate().map(|(at, suite)| of(at, suite)).collect()
}

/// Text, without the line end that most commands write behind theirs.
fn trimmed(text: &str) -> &str {
    text.trim_end_matches(['\n', '\r'])
}

/// Is it a path that stays beneath the folder that it is seen from?
fn stays_beneath(path: &Path) -> bool {
    use std::path::Component;
    let mut parts = path.components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

/// The text of a file that a test names.
fn text_of(path: &Path) -> Result<Vec<u8>, Failure> {
    project::read(&path.display().to_string())
}
