//! A bit or a byte of a store is another than it was written: what is read from it is what it was, or an error with a code.

use super::dice::Dice;
use super::ground::{Form, Tally, dice, end, try_all};
use super::place::{Place, Said, copy};
use super::subject;
use std::fs;
use std::path::Path;

/// A store, and what the commands say of it as long as it is whole.
struct Whole {
    place: Place,
    run: String,
    parked: bool,
    output: String,
    /// Of an artifact.
    checksum: String,
    shown: String,
    payload: String,
    ledger: Vec<String>,
}

const RAISED: [&str; 2] = ["--max-calls", "100"];

impl Whole {
    fn new(parked: bool) -> Whole {
        let subject = subject::one("classes");
        let place = subject.place();
        let mut args = subject.start();
        args.extend(if parked { &["--max-calls", "3"][..] } else { &[] });
        let said = place.call(None, &args);
        assert_eq!(said.status(), if parked { "parked" } else { "sent" }, "{}", said.show());
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let (run, checksum) = (text(&said.json["run"]), text(&said.json["steps"][1]["artifact"]));
        let shown = place.call(None, &["artifact", "show", &checksum]).text;
        let payload = place.call(None, &["artifact", "cat", &checksum]).text;
        assert_eq!(payload, "look\n");
        let ledger = place.lines("ledger");
        Whole { run, parked, output: subject.end.output, checksum, shown, payload, ledger, place }
    }
}

/// Every so many stores a whole byte, else a bit.
fn damage(file: &Path, dice: &mut Dice) -> String {
    let mut bytes = fs::read(file).expect("the store");
    let at = dice.below(bytes.len());
    let byte = bytes.get_mut(at).expect("within");
    let before = *byte;
    *byte ^= if dice.below(3) == 0 { 1 + dice.below(255) as u8 } else { 1 << dice.below(8) };
    let what = format!("byte {at} was {before:#04x} and is {byte:#04x}");
    fs::write(file, bytes).expect("the store");
    what
}

/// As it was, or an error with a code; which of them?
fn judge(said: &Said, same: bool, tally: &mut Tally, of: &str) -> Result<(), String> {
    if said.is_unclean() {
        return Err(format!("{of} ends uncleanly: {}", said.show()));
    }
    match (said.code, same) {
        (Some(0), true) => tally.add(&format!("{of}_same"), 1),
        (Some(0), false) => return Err(format!("{of} shows something else as good: {}", said.show())),
        _ if said.error().len() == 5 => tally.add(&format!("{of}_refused"), 1),
        _ => return Err(format!("{of} gives no code: {}", said.show())),
    }
    Ok(())
}

fn flip(whole: &Whole, seed: u64) -> Result<Tally, String> {
    let place = Place::of(&whole.place.work());
    copy(whole.place.state(), place.state());
    let what = damage(&place.state().join("store.db"), &mut dice(seed));
    let wrong = |found: String| format!("{what}, {}: {found}", if whole.parked { "parked" } else { "ended" });
    let mut tally = Tally::default();
    tally.add("flips", 1);
    let listed = place.call(None, &["runs", "--json"]);
    // A list is an index, and no journal stands behind it: it must not crash, and says so when it can be read no more.
    judge(&listed, true, &mut tally, "runs").map_err(wrong)?;
    let shown = place.call(None, &["artifact", "show", &whole.checksum]);
    judge(&shown, shown.text == whole.shown, &mut tally, "show").map_err(wrong)?;
    let payload = place.call(None, &["artifact", "cat", &whole.checksum]);
    judge(&payload, payload.text == whole.payload, &mut tally, "cat").map_err(wrong)?;
    let mut args = vec!["resume", &whole.run, "--json"];
    args.extend(if whole.parked { &RAISED[..] } else { &[] });
    let resumed = place.call(None, &args);
    let same = resumed.json["output"]["text"].as_str() == Some(&whole.output) && resumed.status() == "sent";
    judge(&resumed, same, &mut tally, "resume").map_err(wrong)?;
    // Whatever was done stays done, and is not done again.
    let done = place.lines("ledger");
    let again = whole.ledger.iter().find(|key| done.iter().filter(|line| line == key).count() != 1);
    match again {
        Some(key) => Err(wrong(format!("{key} was lost or repeated: {done:?}"))),
        None => Ok(tally),
    }
}

#[test]
fn a_store_with_a_flipped_bit_shows_nothing_wrong_as_good() {
    let form = Form::of_environment();
    let wholes = [Whole::new(false), Whole::new(true)];
    let seeds: Vec<u64> = (0..form.pick(10, 500, 10_000)).collect();
    let pick = |seed: &u64| wholes.get((*seed % 2) as usize).expect("one of two");
    let (tally, wrong) = try_all(&seeds, |seed| flip(pick(seed), *seed));
    let least: &[(&str, u64)] = match form {
        Form::Short => &[("flips", 10)],
        _ => &[("flips", 500), ("resume_same", 20), ("resume_refused", 20), ("cat_refused", 1), ("cat_same", 100)],
    };
    end("flips", &tally, &wrong, least);
}
