//! `self-test --torture TIME`: does this machine, with this disk, keep what aivm promises? Runs are killed at random moments and
//! go on; a ledger that no run knows of tells what really happened.

use crate::args::{Global, SelfTestArgs};
use crate::fail::{Exit, Failure};
use aivm_host::mint::fill_random;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// So often the loop of the program goes round.
const ROUNDS: usize = 12;
/// The longest that a process lives before it is killed, in milliseconds.
const LIFE: u64 = 120;
/// Each step tells the ledger that it was done: one that must not be repeated, one that does nothing when it is, one that only
/// reads, and looks whether all rounds are done.
const PROGRAM: &str = r#"+++
[worker.mail]
run = 'echo "mail $AIVM_STEP" >> ledger'
effect = "irreversible"
[worker.put]
run = 'grep -qx "put $AIVM_STEP" ledger || echo "put $AIVM_STEP" >> ledger'
effect = "idempotent"
[worker.look]
run = '''
echo "look $AIVM_STEP" >> ledger
[ "$(grep -c ^mail ledger)" -ge 12 ] || echo back > "$AIVM_STEP_VERDICT"
'''
effect = "read"
+++
out <= ( switch <= ( mail<12> => next  put<12> => next  look<12> => back * 2 | send ) ) <= in
"#;

/// What was counted.
#[derive(Default)]
struct Counts {
    runs: u64,
    kills: u64,
    steps: u64,
    unknown: u64,
    happened: u64,
}

/// `aivm self-test --torture TIME`.
pub fn self_test(global: &Global, args: &SelfTestArgs) -> Result<Exit, Failure> {
    let failed = |what: &str, error: std::io::Error| Failure::failed("E0790", format!("cannot {what}: {error}"));
    let program = std::env::current_exe().map_err(|error| failed("find this program", error))?;
    let folder = Folder::here().map_err(|error| failed("make a folder here", error))?;
    let until = Instant::now() + Duration::from_millis(args.torture.0);
    let mut counts = Counts::default();
    while Instant::now() < until {
        let place = folder.0.join(counts.runs.to_string());
        let torture = Torture { program: &program, place: &place };
        torture.run(&mut counts, until).map_err(|broken| Failure::failed("E0791", broken))?;
        counts.runs += 1;
        if !global.json {
            eprint!("\r{} runs, {} kills, {} steps", counts.runs, counts.kills, counts.steps);
        }
    }
    let Counts { runs, kills, steps, unknown, happened } = counts;
    match global.json {
        true => println!(
            "{}",
            json!({"v": 1, "runs": runs, "kills": kills, "steps": steps, "unknown": unknown, "happened": happened, "broken": 0})
        ),
        false => {
            eprintln!("");
            println!(
                "{runs} runs were killed {kills} times, and kept what they promise: {steps} steps, none lost, none done twice"
            );
            println!(
                "{unknown} times nobody could know whether a step had happened, and somebody was asked; it had {happened} times"
            );
        }
    }
    Ok(Exit::SENT)
}

/// One run, killed again and again.
struct Torture<'t> {
    program: &'t Path,
    place: &'t Path,
}

impl Torture<'_> {
    fn aivm(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.program);
        command.args(args).current_dir(self.place).env("AIVM_STATE", self.place.join(".aivm"));
        // Its commands say that they only read, and keep a ledger of their calls.
        command.env("AIVM_SANDBOX", "none");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, counts: &mut Counts, until: Instant) -> Result<(), String> {
        let io = |error: std::io::Error| error.to_string();
        std::fs::create_dir_all(self.place).map_err(io)?;
        std::fs::write(self.place.join("p.aivm"), PROGRAM).map_err(io)?;
        std::fs::write(self.place.join("ledger"), "").map_err(io)?;
        // Commands that a killed process left are known by the name of their run: it is no other test's.
        let id = format!("torture-{:016x}", random());
        let mut next = vec!["run".to_owned(), "p.aivm".into(), "--id".into(), id.clone()];
        let mut killed = false;
        loop {
            let args: Vec<&str> = next.iter().map(String::as_str).chain(["--json"]).collect();
            let child = self.aivm(&args).spawn().map_err(io)?;
            // When time is up the run is let go to its end.
            let life = (Instant::now() < until).then(|| Duration::from_millis(random() % LIFE));
            let Some(report) = lived(child, life).map_err(io)? else {
                (counts.kills, killed) = (counts.kills + 1, true);
                // What it was told may be kept already.
                if next.first().is_some_and(|command| command == "settle") {
                    next = vec!["resume".into(), id.clone()];
                }
                continue;
            };
            match (report["status"].as_str(), report["error"]["code"].as_str()) {
                (Some("sent"), _) => break,
                (Some("parked"), Some("E0771")) => {
                    if !killed {
                        return Err("a step is not known to have happened, and nothing was killed".into());
                    }
                    let step = report["error"]["step"].as_str().unwrap_or_default().to_owned();
                    let how = match self.ledger()?.get(&format!("mail {step}")) {
                        Some(_) => "happened",
                        None => "not-happened",
                    };
                    counts.unknown += 1;
                    counts.happened += u64::from(how == "happened");
                    next = vec!["settle".into(), id.clone(), step, how.into()];
                    killed = false;
                    continue;
                }
                _ => return Err(format!("a run came to no end: {report}")),
            }
        }
        let ledger = self.ledger()?;
        for (line, times) in &ledger {
            let once = !line.starts_with("look ");
            if once && *times != 1 {
                return Err(format!("`{line}` was done {times} times"));
            }
        }
        for worker in ["look", "put", "mail"] {
            let done = ledger.keys().filter(|line| line.starts_with(worker)).count();
            if done != ROUNDS {
                return Err(format!("of {ROUNDS} calls of `{worker}` {done} were done"));
            }
            counts.steps += done as u64;
        }
        Ok(())
    }

    fn ledger(&self) -> Result<BTreeMap<String, u64>, String> {
        let text = std::fs::read_to_string(self.place.join("ledger")).map_err(|error| error.to_string())?;
        let mut lines = BTreeMap::new();
        for line in text.lines() {
            *lines.entry(line.to_owned()).or_default() += 1;
        }
        Ok(lines)
    }
}

/// What a process said, when it came to its end within this time; else it is killed.
fn lived(mut child: Child, life: Option<Duration>) -> std::io::Result<Option<Value>> {
    let began = Instant::now();
    while let Some(life) = life {
        if child.try_wait()?.is_some() {
            break;
        }
        if began.elapsed() >= life {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| json!({"said": said}))))
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without random numbers every process lives for the same time.
    let _ = fill_random(&mut bytes);
    u64::from_le_bytes(bytes)
}

/// A folder on the disk that is tested; removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn here() -> std::io::Result<Folder> {
        let path = std::env::current_dir()?.join(format!(".aivm-torture-{:016x}", random()));
        std::fs::create_dir(&path)?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
