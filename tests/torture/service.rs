//! A service that counts, with a ledger outside of the program, is killed at any moment, again and again: nothing is lost, nothing
//! that must not be is repeated, and nobody is asked about what no crash has touched.

use super::dice::Dice;
use super::ground::{Form, Tally, dice, end, try_all};
use super::place::{Place, Said};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// One service: its dice, how far it counts, how often it is killed at least.
struct Service {
    seed: u64,
    rounds: u64,
    kills: u64,
}

struct Kept<'p> {
    place: &'p Place,
    dice: Dice,
    tally: Tally,
    kills: u64,
    wanted: u64,
    longest: u64,
}

impl Kept<'_> {
    /// The program, which is killed after a while unless it has been often enough; none: it was.
    fn call(&mut self, args: &[&str]) -> Result<Option<Said>, String> {
        let mut under_way = self.place.spawn(&[], args);
        if self.kills < self.wanted {
            std::thread::sleep(Duration::from_micros(self.dice.below(self.longest as usize) as u64));
            // Too late when it has ended; then it is like any other.
            let _ = under_way.child.kill();
        }
        // Half of the time what it left running is stopped by whoever goes on, else it comes to its own end before.
        let patient = self.dice.below(2) == 0;
        let said = if patient { self.place.wait(under_way) } else { self.place.wait_for_it_alone(under_way) };
        if said.code.is_none() && !said.hung {
            self.kills += 1;
            self.tally.add("kills", 1);
            return Ok(None);
        }
        if said.is_unclean() {
            return Err(said.show());
        }
        Ok(Some(said))
    }

    fn carry(&mut self, rounds: &str) -> Result<Said, String> {
        let param = format!("rounds={rounds}");
        let start = ["run", "pipeline.aivm", "--param", &param, "--json"];
        let mut said = self.call(&start)?;
        // How often it had been killed when it last asked.
        let mut asked = 0;
        for _ in 0..100_000 {
            let Some(came) = said else {
                said = match self.place.runs()?.as_slice() {
                    [] if !self.place.lines("ledger").is_empty() => {
                        return Err("something happened, and no run is recorded".to_owned());
                    }
                    [] => {
                        self.tally.add("never_began", 1);
                        self.call(&start)?
                    }
                    [(run, _)] => self.call(&["resume", run, "--json"])?,
                    several => return Err(format!("{} runs, and one was started", several.len())),
                };
                continue;
            };
            if came.status() == "sent" {
                return Ok(came);
            }
            let (run, step) =
                (came.json["run"].as_str().unwrap_or(""), came.json["error"]["step"].as_str().unwrap_or(""));
            if came.error() != "E0771" || !step.contains("/pay#") || self.kills == asked {
                return Err(format!(
                    "after {} kills, {asked} of them before the last question: {}",
                    self.kills,
                    came.show()
                ));
            }
            asked = self.kills;
            self.tally.add("unknown", 1);
            let happened = self.place.lines("ledger").last().is_some_and(|last| last == step);
            self.tally.add(if happened { "settled_happened" } else { "settled_not_happened" }, 1);
            let how = if happened { "happened" } else { "not-happened" };
            said = self.call(&["settle", run, step, how, "--json"])?;
        }
        Err("it does not end".to_owned())
    }
}

fn serve(service: &Service) -> Result<Tally, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture/counter");
    let place = Place::on_disk(&folder);
    // Long enough that a good many steps pass between two kills.
    let longest = 20_000 + 5_000 * 3 * service.rounds / service.kills;
    let dice = dice(service.seed);
    let mut kept = Kept { place: &place, dice, tally: Tally::default(), kills: 0, wanted: service.kills, longest };
    let said = kept.carry(&service.rounds.to_string()).map_err(|what| format!("seed {}: {what}", service.seed))?;
    let (mut tally, kills) = (kept.tally, kept.kills);
    let wrong = |what: String| Err(format!("seed {}: {what}", service.seed));
    if said.json["output"]["text"].as_str().map(str::trim) != Some(&service.rounds.to_string()) {
        return wrong(format!("it counted to {}", said.json["output"]["text"]));
    }
    let expected = |worker: &str| (1..=service.rounds).map(|n| format!("switch.1/{worker}#{n}")).collect::<Vec<_>>();
    let (paid, expected_paid) = (place.lines("ledger"), expected("pay"));
    if paid != expected_paid {
        return wrong(format!("{} were paid, of {}: lost, repeated or out of order", paid.len(), service.rounds));
    }
    let puts = place.lines("puts");
    // One key for each step, whenever it is asked again, and for no other.
    let (keys, pairs): (BTreeSet<&str>, BTreeSet<&String>) =
        (puts.iter().filter_map(|line| line.split(' ').nth(1)).collect(), puts.iter().collect());
    if keys.len() as u64 != service.rounds || pairs.len() as u64 != service.rounds {
        return wrong(format!("{} keys and {} pairs of steps and keys", keys.len(), pairs.len()));
    }
    let steps = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line.split(' ').next().unwrap_or("").to_owned()).collect()
    };
    for (worker, done) in [("put", steps(puts.clone())), ("look", steps(place.lines("looks")))] {
        let mut times: BTreeMap<&String, u64> = BTreeMap::new();
        done.iter().for_each(|key| *times.entry(key).or_default() += 1);
        let expected = expected(worker);
        if expected.iter().any(|key| !times.contains_key(key)) || times.len() != expected.len() {
            return wrong(format!("of {worker} some are lost, or too many"));
        }
        let repeated = done.len() as u64 - service.rounds;
        if repeated > kills {
            return wrong(format!("of {worker} {repeated} were repeated, after {kills} kills"));
        }
        tally.add("repeated", repeated);
    }
    tally.add("steps", 3 * service.rounds);
    tally.add("irreversible", service.rounds);
    Ok(tally)
}

#[test]
fn a_counter_that_is_killed_counts_right() {
    let form = Form::of_environment();
    let (rounds, kills) = form.pick((10, 3), (500, 60), (3_400, 210));
    let services: Vec<Service> = (1..=2).map(|seed| Service { seed, rounds, kills }).collect();
    let (tally, wrong) = try_all(&services, serve);
    let least: &[(&str, u64)] = match form {
        Form::Short => &[("kills", 2), ("steps", 60)],
        Form::Ci => &[("kills", 100), ("steps", 3_000), ("unknown", 5)],
        Form::Long => &[("kills", 400), ("steps", 20_000), ("unknown", 40)],
    };
    end("service", &tally, &wrong, least);
}
