//! The N-th call of the system that touches a file of the workspace, the store or the temporary folder fails (EIO, ENOSPC,
//! EINTR) or is short, once, from then on, or from then on for calls of its name: the program bears it, or ends with an error
//! that has a code, and what it began goes on once the calls work again. What it showed as done is there.
//!
//! The calls are made to fail by a library that stands before libc, `faults.c`. Each fault counts the calls that it suits:
//!
//! - EIO: all of them. ENOSPC: what needs room. EINTR: what may wait; going on it is one call in four, as no kernel interrupts
//!   each try. Short: reads and writes; it is no failure, so nothing but its success is right.
//! - A disk that is broken from then on breaks no locks, which the kernel has in memory. They fail once, or each of them.
//! - Left alone: standard error, all that tells of the others; unlocking (`F_UNLCK`), which on a file of this machine does not
//!   fail; mapped memory, which has no call; what is not a file. A `close` that fails has closed: nobody can do more
//!   about it, and what had to last was flushed before.
//!
//! What goes past libc, straight to the kernel, is in `starts.rs`.

use super::ground::{Form, Tally, dice, end, try_all_at_once};
use super::place::{Place, Said};
use super::subject::{self, Recovery, Subject};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs that run at once, for each core: mostly they wait, for commands, and for locks that cannot be had.
const EACH_CORE: usize = 4;
/// A lock that can never be had is waited for, ten seconds each: one point of so many.
const LOCKS: usize = 16;

/// Faults, each with how it goes on.
const FAULTS: [(&str, &[&str]); 4] = [
    ("EIO", &["once", "on", "call"]),
    ("ENOSPC", &["once", "on"]),
    ("EINTR", &["once", "on"]),
    ("SHORT", &["once", "on"]),
];

/// The library, built for this test.
struct Library(tempfile::TempDir);

impl Library {
    /// Where it cannot be built and must be, that is a failure.
    fn build() -> Option<Library> {
        let dir = tempfile::tempdir().expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/faults.c");
        let words = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"];
        let built = Command::new("cc").args(words).arg(dir.path().join("faults.so")).arg(source).arg("-ldl").output();
        match built {
            Ok(built) => assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr)),
            Err(_) => {
                assert!(Form::of_environment() == Form::Short, "cc is not here");
                println!("skipped: cc is not here");
                return None;
            }
        }
        Some(Library(dir))
    }

    /// What stands before the program's own words.
    fn before(&self, place: &Place, fault: &str) -> Vec<String> {
        let set = |name: &str, path: PathBuf| format!("{name}={}", path.display());
        vec![
            "env".to_owned(),
            set("LD_PRELOAD", self.0.path().join("faults.so")),
            format!("AIVM_FAULT={fault}"),
            set("AIVM_FAULT_UNDER", place.path("")),
            set("AIVM_FAULT_LOG", place.path("faults")),
        ]
    }

    /// How it ends, and the calls that a fault suits.
    fn count(&self, subject: &Subject, fault: &str) -> (Said, Vec<String>) {
        let place = subject.place();
        let said = place.wait(place.spawn(&self.before(&place, &format!("{fault}:0:once")), &subject.start()));
        let log = std::fs::read_to_string(place.path("faults")).expect("its calls are counted");
        (said, log.lines().map(|line| line.split(' ').next().unwrap_or("").to_owned()).collect())
    }
}

struct Point<'s> {
    subject: &'s Subject,
    library: &'s Library,
    fault: &'static str,
    how: &'static str,
    nth: usize,
    call: String,
    /// With which code it ends when nothing goes wrong.
    code: Option<i32>,
}

/// Does the run's own account say that a worker could not do its work? Then that is its end, and not the store's affair.
pub fn worker_failed(subject: &Subject, said: &Said) -> bool {
    let rows = said.json["steps"].as_array().cloned().unwrap_or_default();
    let errors = rows.iter().filter_map(|row| row["error"]["code"].as_str());
    let own = |code: &str| code.starts_with("E07") && !code.starts_with("E075") && !code.starts_with("E076");
    subject.timed || errors.filter(|code| own(code)).count() > 0
}

/// Once the calls work again: it ends as it ends when nothing goes wrong, or a worker failed and the store is none the worse.
pub fn goes_on(subject: &Subject, place: &Place, said: Said, tally: &mut Tally) -> Result<Recovery, String> {
    let came = subject.go_on(place, said, Vec::new(), true)?;
    let ended = came.end.as_ref().ok_or("it ends")?;
    if !subject.is_same(ended) {
        let said = came.said.as_ref().ok_or("it says so")?;
        if !worker_failed(subject, said) {
            return Err(format!("it ended otherwise\n{ended:?}\nand not\n{:?}\n{}", subject.end, said.show()));
        }
        tally.add("worker_failed", 1);
        // The next run is like any other.
        let fresh = subject.place().with_state(place.state().to_owned());
        let next = fresh.call(None, &subject.start());
        let next = subject.go_on(&fresh, next, Vec::new(), false)?;
        if !next.end.as_ref().is_some_and(|end| subject.is_same(end)) {
            return Err(format!("the next run ended otherwise: {next:?}"));
        }
    } else {
        tally.add("same_end", 1);
    }
    tally.add("unknown", came.unknown.values().sum());
    tally.add("never_began", came.begun_again);
    tally.add("stuck", u64::from(came.stuck > 0));
    Ok(came)
}

fn fail(point: &Point) -> Result<Tally, String> {
    let Point { subject, library, fault, how, nth, call, code } = point;
    let place = subject.place();
    let said = place.wait(place.spawn(&library.before(&place, &format!("{fault}:{nth}:{how}")), &subject.start()));
    let log = std::fs::read_to_string(place.path("faults")).unwrap_or_default();
    let wrong = |what: String| format!("{}, {fault} at {nth} ({call}) {how}, at {}: {what}", subject.name, log.trim());
    let mut tally = Tally::default();
    if log.is_empty() {
        // Threads do not take turns alike each time, and it made fewer calls.
        tally.add("missed", 1);
    }
    if said.is_unclean() {
        return Err(wrong(format!("it ends uncleanly: {}", said.show())));
    }
    tally.add("points", 1);
    tally.add(&format!("{how}_{fault}"), 1);
    if said.code == *code && !said.status().is_empty() {
        tally.add("borne", 1);
        tally.add(&format!("borne_{fault}"), 1);
    } else if *fault == "SHORT" && !subject.timed {
        return Err(wrong(format!("what is short is no failure: {}", said.show())));
    } else if said.error().len() != 5 && !worker_failed(subject, &said) {
        return Err(wrong(format!("no code says why: {}", said.show())));
    } else {
        tally.add("refused", 1);
    }
    let is_borne = tally.of("borne") > 0;
    let came = goes_on(subject, &place, said, &mut tally).map_err(wrong)?;
    if !is_borne {
        return Ok(tally);
    }
    // Whatever was shown while calls failed, the store has it.
    let shown = came.said.as_ref().ok_or("it says so")?;
    let kept = place.call(None, &["resume", shown.json["run"].as_str().unwrap_or(""), "--json"]);
    let kept = subject.end_of(&place, &kept).map_err(wrong)?;
    if came.end.as_ref() != Some(&kept) {
        return Err(wrong(format!("it showed\n{:?}\nand the store has\n{kept:?}", came.end)));
    }
    Ok(tally)
}

#[test]
fn a_call_that_fails_is_reported_and_the_run_goes_on_afterwards() {
    let Some(library) = Library::build() else { return };
    let form = Form::of_environment();
    let subjects = match form {
        Form::Short => vec![subject::one("classes")],
        // A memory that cannot be read fails its step, and so the run: an end of its own, and not the one that is compared with.
        _ => subject::all().into_iter().filter(|subject| subject.name != "known-answers").collect(),
    };
    let (mut points, mut calls) = (Vec::new(), BTreeSet::new());
    for subject in &subjects {
        for (fault, hows) in FAULTS {
            let (said, counted) = library.count(subject, fault);
            assert!(!said.is_unclean(), "{}: {}", subject.name, said.show());
            for (at, call) in counted.into_iter().enumerate() {
                calls.insert(call.clone());
                for how in hows {
                    let (nth, call, code) = (at + 1, call.clone(), said.code);
                    points.push(Point { subject, library: &library, fault, how, nth, call, code });
                }
            }
        }
    }
    // Of all there are: in a CI run one of three that fail once, and some of those that go on.
    let all = points.len() as u64;
    let wanted = form.pick(40, 3_000, all);
    let mut dice = dice(7);
    points.retain(|point| !(point.how == "call" && point.call.starts_with("fcntl")) || point.nth.is_multiple_of(LOCKS));
    points.retain(|point| {
        let once = form == Form::Ci && point.how == "once" && !point.subject.timed;
        (dice.below(all as usize) as u64) < if once { all / 3 } else { wanted }
    });
    let (mut tally, wrong) = try_all_at_once(EACH_CORE, &points, fail);
    tally.add("programs", subjects.len() as u64);
    tally.add("of", all);
    tally.add("calls", calls.len() as u64);
    let least: &[(&str, u64)] = match form {
        Form::Short => &[("points", 15), ("calls", 15)],
        _ => &[
            ("points", 4_500),
            ("calls", 18),
            ("once_SHORT", 500),
            ("once_ENOSPC", 500),
            ("borne_EINTR", 500),
            ("borne", 1_500),
            ("refused", 1_500),
            ("same_end", 3_000),
            ("never_began", 500),
            ("unknown", 100),
        ],
    };
    end("faults", &tally, &wrong, least);
}
