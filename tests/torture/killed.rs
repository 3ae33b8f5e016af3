//! The program is killed at every call that writes, flushes, renames or starts a process, and at some of those that its recovery
//! makes; then it is resumed.

use super::ground::{Form, Tally, dice, end, try_all};
use super::place::{Fault, can_trace};
use super::subject::{self, Subject};

struct Point<'s> {
    subject: &'s Subject,
    fault: Fault,
    more: Vec<Fault>,
}

fn survive(point: &Point) -> Result<Tally, String> {
    let Point { subject, fault, more } = point;
    let place = subject.place();
    let said = place.call(Some(fault), &subject.start());
    let died = said.code.is_none() || said.code == Some(137);
    let wrong = |what: String| format!("{}, {fault}, then {more:?}: {what}", subject.name);
    let came = subject.go_on(&place, said, more.clone(), false).map_err(wrong)?;
    let ended = came.end.as_ref().ok_or("it ends")?;
    if !subject.is_same(ended) {
        return Err(wrong(format!("it ended otherwise\n{:?}\nand not\n{ended:?}", subject.end)));
    }
    if came.kills == 0 && !came.unknown.is_empty() {
        return Err(wrong(format!("nobody killed it, and it asks about {:?}", came.unknown)));
    }
    if let Some((step, times)) = came.unknown.iter().find(|(_, times)| **times > came.kills) {
        return Err(wrong(format!("{step} was asked about {times} times, after {} kills", came.kills)));
    }
    let runs = place.runs().map_err(wrong)?;
    if !matches!(runs.as_slice(), [(_, status)] if *status == ended.status) {
        return Err(wrong(format!("its store says {runs:?}")));
    }
    let mut tally = came.counted();
    tally.add("points", u64::from(died));
    tally.add("missed", u64::from(!died));
    tally.add("crashes_of_recovery", came.kills - u64::from(died));
    Ok(tally)
}

/// Faults for the recovery of some points: what a crash alone does not show, a second may.
fn more(nth: u64, calls: &[(String, u64)]) -> Vec<Fault> {
    let mut dice = dice(nth);
    let mut faults = Vec::new();
    while faults.len() < 3 && dice.below(4) > 0 {
        let call = calls.get(dice.below(calls.len())).map_or("write", |(call, _)| call.as_str());
        let call = if dice.below(2) == 0 { "pwrite64" } else { call };
        faults.push(Fault::kill(call, 1 + dice.below(30) as u64));
    }
    faults
}

#[test]
fn killed_at_every_call_it_goes_on_as_if_nothing_had_been() {
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
        for (call, times) in &subject.calls {
            for nth in 1..=*times {
                let more = more(points.len() as u64, &subject.calls);
                points.push(Point { subject, fault: Fault::kill(call, nth), more });
            }
        }
    }
    // In the short form a few, from all over.
    let every = form.pick(points.len().div_ceil(24), 1, 1);
    // What waits for its own clock is slow.
    let slow = |nth: usize, point: &Point| point.subject.timed && form < Form::Long && !nth.is_multiple_of(4);
    let points = points.into_iter().enumerate().filter(|(nth, point)| nth % every == 0 && !slow(*nth, point));
    let points: Vec<Point> = points.map(|(_, point)| point).collect();
    let (mut tally, mut wrong) = try_all(&points, survive);
    if form == Form::Long {
        // The same again with other crashes of the recovery.
        for round in 1..20 {
            let points: Vec<Point> = points
                .iter()
                .enumerate()
                .map(|(nth, point)| Point {
                    subject: point.subject,
                    fault: point.fault.clone(),
                    more: more((round << 32) + nth as u64, &point.subject.calls),
                })
                .collect();
            let (counted, found) = try_all(&points, survive);
            tally.take_in(counted);
            wrong.extend(found);
        }
    }
    tally.add("programs", subjects.len() as u64);
    let least: &[(&str, u64)] = match form {
        Form::Short => &[("points", 15)],
        _ => &[
            ("points", 1_500),
            ("kills", 3_000),
            ("crashes_of_recovery", 500),
            ("unknown", 200),
            ("settled_happened", 50),
            ("settled_not_happened", 50),
            ("never_began", 50),
        ],
    };
    end("killed", &tally, &wrong, least);
}
