//! The N-th call that goes past libc fails, once or from then on: those that start commands, and those on files beneath the
//! workspace by built-ins. As in `faults.rs`, whose library does not see them; these are made to fail by `strace`.

use super::faults::{goes_on, worker_failed};
use super::ground::{Form, Tally, end, try_all};
use super::place::{Fault, can_trace};
use super::subject::{self, Subject};

const CALLS: &str = "?openat2,?mkdirat,?unlinkat,?renameat,?renameat2,?linkat,?symlinkat,?fchmodat,?utimensat,clone3,?clone,?vfork,\
    pipe2";

struct Point<'s> {
    subject: &'s Subject,
    fault: Fault,
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
    goes_on(subject, &place, said, &mut tally).map_err(wrong)?;
    Ok(tally)
}

#[test]
fn a_command_that_cannot_be_started_is_reported_and_the_run_goes_on_afterwards() {
    if !can_trace() {
        return;
    }
    let form = Form::of_environment();
    let subjects = match form {
        Form::Short => vec![subject::one("classes")],
        _ => subject::all(),
    };
    let mut points = Vec::new();
    for subject in subjects.iter().filter(|subject| !subject.timed || form == Form::Long) {
        let (_, calls) = subject.place().count(CALLS, &subject.start());
        for (call, times) in &calls {
            for nth in 1..=*times {
                for (what, on) in [("error=EIO", false), ("error=EIO", true), ("error=EINTR", false)] {
                    points.push(Point { subject, fault: Fault { call: call.clone(), nth, on, what } });
                }
            }
        }
    }
    let every = form.pick(points.len().div_ceil(20), 2, 1);
    let points: Vec<Point> = points.into_iter().step_by(every.max(1)).collect();
    let (mut tally, wrong) = try_all(&points, fail);
    tally.add("programs", subjects.len() as u64);
    let least: &[(&str, u64)] = match form {
        Form::Short => &[("points", 5)],
        _ => &[("points", 200), ("refused", 20), ("same_end", 100)],
    };
    end("starts", &tally, &wrong, least);
}
