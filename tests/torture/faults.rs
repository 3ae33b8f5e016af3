//! The N-th call of the system fails, once or from then on: the program ends with an error that has a code, and what it began
//! goes on once the calls work again.
//!
//! Calls on a process's own pipes and events are not made to fail for ever: no kernel does that, and who waits for them waits.

use super::ground::{Dice, Form, Tally, end, try_all};
use super::place::{Fault, can_trace};
use super::subject::{self, Subject};

const CALLS: &str = "read,openat,pread64,pwrite64,fsync,fdatasync,ftruncate,?mkdir,?mkdirat,?unlink,?unlinkat,?rename,\
    newfstatat,statx,clone3,pipe2,flock";

struct Point<'s> {
    subject: &'s Subject,
    fault: Fault,
}

/// Does the run's own account say that a worker could not do its work? Then that is its end, and not the store's affair.
fn worker_failed(subject: &Subject, said: &super::place::Said) -> bool {
    let rows = said.json["steps"].as_array().cloned().unwrap_or_default();
    let errors = rows.iter().filter_map(|row| row["error"]["code"].as_str());
    let own = |code: &str| code.starts_with("E07") && !code.starts_with("E075") && !code.starts_with("E076");
    subject.timed || errors.filter(|code| own(code)).count() > 0
}

fn fail(point: &Point) -> Result<Tally, String> {
    let Point { subject, fault } = point;
    let place = subject.place();
    let said = place.call(Some(fault), &subject.start());
    let wrong = |what: String| format!("{}, {fault}: {what}", subject.name);
    let mut tally = Tally::default();
    if said.errors.contains("shared libraries") || said.errors.contains("self-pipe") {
        tally.add("missed", 1);
        return Ok(tally);
    }
    if said.is_unclean() {
        return Err(wrong(format!("it ends uncleanly: {}", said.show())));
    }
    tally.add("points", 1);
    tally.add(&format!("error_{}", fault.what.trim_start_matches("error=")), 1);
    if said.code == Some(0) {
        tally.add("borne", 1);
    } else if said.error().len() != 5 && !worker_failed(subject, &said) {
        return Err(wrong(format!("no code says why: {}", said.show())));
    } else {
        tally.add("refused", 1);
    }
    let came = subject.go_on(&place, said, Vec::new(), true).map_err(wrong)?;
    let ended = came.end.as_ref().ok_or("it ends")?;
    if !subject.is_same(ended) {
        let said = came.said.as_ref().ok_or("it says so")?;
        if !worker_failed(subject, said) {
            return Err(wrong(format!("it ended otherwise\n{:?}\nand not\n{ended:?}\n{}", subject.end, said.show())));
        }
        tally.add("worker_failed", 1);
        // The store is none the worse for it: the next run is like any other.
        let fresh = subject.place().with_state(place.state().to_owned());
        let next = fresh.call(None, &subject.start());
        let next = subject.go_on(&fresh, next, Vec::new(), false).map_err(wrong)?;
        if !next.end.as_ref().is_some_and(|end| subject.is_same(end)) {
            return Err(wrong(format!("the next run ended otherwise: {next:?}")));
        }
    } else {
        tally.add("same_end", 1);
    }
    tally.add("unknown", came.unknown.values().sum());
    tally.add("never_began", came.begun_again);
    tally.add("stuck", u64::from(came.stuck > 0));
    Ok(tally)
}

#[test]
fn a_call_that_fails_is_reported_and_the_run_goes_on_afterwards() {
    if !can_trace() {
        return;
    }
    let form = Form::of_environment();
    let subjects = match form {
        Form::Short => vec![subject::one("classes")],
        _ => subject::all(),
    };
    let mut points = Vec::new();
    for subject in &subjects {
        let (_, calls) = subject.place().count(CALLS, &subject.start());
        for (call, times) in &calls {
            for nth in 1..=*times {
                for (what, on) in [
                    ("error=EIO", false),
                    ("error=EIO", true),
                    ("error=ENOSPC", false),
                    ("error=ENOSPC", true),
                    ("error=EINTR", false),
                ] {
                    points.push(Point { subject, fault: Fault { call: call.clone(), nth, on, what } });
                }
            }
        }
    }
    let wanted = form.pick(20, 1_200, points.len());
    let (mut dice, all) = (Dice::new(7), points.len() as u64);
    points.retain(|point| (!point.subject.timed || form == Form::Long) && dice.below(all) < wanted as u64);
    let (mut tally, wrong) = try_all(&points, fail);
    tally.add("programs", subjects.len() as u64);
    let least: &[(&str, u64)] = match form {
        Form::Short => &[("points", 5)],
        _ => &[("points", 800), ("borne", 100), ("refused", 100), ("same_end", 400), ("never_began", 50)],
    };
    end("faults", &tally, &wrong, least);
}
