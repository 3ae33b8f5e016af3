//! Many runs wait in one store, each for something of its own; all go on, and none is lost.

use super::ground::{Form, Tally, end, try_all};
use super::subject;
use std::collections::BTreeSet;

#[test]
fn runs_that_wait_are_all_there_and_all_go_on() {
    let form = Form::of_environment();
    let subject = subject::one("classes");
    let state = tempfile::tempdir().expect("a folder");
    let store = || state.path().join("store");
    let numbers: Vec<u64> = (0..form.pick(10, 200, 10_000)).collect();
    // Every run has a workspace of its own, and waits after another step.
    let park = |number: &u64| {
        let place = subject.place().with_state(store());
        let calls = (number % 6).to_string();
        let mut args = subject.start();
        args.extend(["--max-calls", &calls]);
        let said = place.call(None, &args);
        match said.json["run"].as_str() {
            Some(run) if said.status() == "parked" && said.code == Some(4) => Ok((place, run.to_owned())),
            _ => Err(format!("run {number} does not wait: {}", said.show())),
        }
    };
    let waiting = std::sync::Mutex::new(Vec::new());
    let (mut tally, mut wrong) = try_all(&numbers, |number| {
        let parked = park(number)?;
        waiting.lock().expect("no try panics").push(parked);
        let mut tally = Tally::default();
        tally.add("parked", 1);
        Ok(tally)
    });
    let waiting = waiting.into_inner().expect("no try panics");
    let place = subject.place().with_state(store());
    let check = |status: &str| -> Result<(), String> {
        let runs = place.runs()?;
        let names: BTreeSet<&String> = runs.iter().map(|(run, _)| run).collect();
        let all = waiting.iter().all(|(_, run)| names.contains(run)) && names.len() == numbers.len();
        let alike = runs.iter().all(|(_, is)| is == status);
        if all && alike { Ok(()) } else { Err(format!("not all {} are there and {status}: {runs:?}", numbers.len())) }
    };
    wrong.extend(check("parked").err());
    let (resumed, lost) = try_all(&waiting, |(place, run)| {
        let said = place.call(None, &["resume", run, "--max-calls", "100", "--json"]);
        let ended = subject.end_of(place, &said)?;
        if !subject.is_same(&ended) || place.lines("ledger") != subject.ledger {
            return Err(format!("{run} ended otherwise: {ended:?}, {:?}", place.lines("ledger")));
        }
        let mut tally = Tally::default();
        tally.add("resumed", 1);
        Ok(tally)
    });
    tally.take_in(resumed);
    wrong.extend(lost);
    wrong.extend(check("sent").err());
    let least = form.pick(10, 200, 10_000);
    end("parked", &tally, &wrong, &[("parked", least), ("resumed", least)]);
}
