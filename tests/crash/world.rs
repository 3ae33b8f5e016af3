//! A world in which a run lives: its disk, its clock, its processes, and everybody whom it calls. Processes are killed, lose
//! their power or sleep while another takes their run; the world remembers what they did.

use crate::bugs::Bug;
use crate::dice::Dice;
use crate::disk::{Cause, Disk, Stop, Writer};
use crate::ledger::{Index, Remembered, promise, shown};
use crate::live::said_by;
use crate::script::Script;
use crate::tally::Tally;
use aivm_lang::eval::{self, Value};
use aivm_schema::artifact::{Artifact, Checksum, Draft};
use aivm_schema::journal::{Body, Link, Record, RunStarted};
use aivm_schema::module::{EndKind, RunLimits};
use aivm_schema::worker::Effect;
use aivm_vm::run::{Batch, Do, Facts, Run, Saved, Status};
use aivm_vm::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

pub const MILLISECOND: u64 = 1_000_000;

thread_local! {
    /// The same value is the same artifact, in every life.
    static SEALED: RefCell<HashMap<Value, Artifact>> = RefCell::default();
}

/// What workers answer.
pub enum Answers {
    Random(Script),
    /// By the worker's place in the module: 0 succeeds, 1 fails, 2 says the word `back` once.
    Fixed(Vec<u8>),
}

/// A run and what happens to it, whoever carries it out.
pub struct Setup {
    pub number: u64,
    pub module: VerifiedModule,
    pub facts: Vec<Facts>,
    pub answers: Answers,
    pub limits: RunLimits,
    pub timeout_ms: Option<u64>,
    /// So often somebody wants it taken back when it has ended.
    pub rollbacks: u64,
    /// Bytes of records between checkpoints.
    pub often: usize,
    /// The end does not depend on how long anything takes.
    pub timeless: bool,
    /// Something has a budget: what is spent is not known of calls that somebody settles.
    pub budget: bool,
    /// No timer is due before so many milliseconds.
    pub least_ms: u64,
}

/// How a life goes, beside the setup.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    pub seed: u64,
    pub crashes: u32,
    /// Operations until a crash: at most so many; `exactly`: so many.
    pub life: u64,
    pub exactly: bool,
    /// Does what was under way happen? None: now and then.
    pub happens: Option<bool>,
    /// Is the power lost?
    pub power: Option<bool>,
    /// Somebody cancels, raises limits, takes back.
    pub wild: bool,
    pub bug: Option<Bug>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// How it ended, and what was done.
    pub ending: String,
    /// Can that be compared with another life of the same run?
    pub comparable: bool,
    pub operations: u64,
    /// Of all that was recorded and done, in order.
    pub trace: u64,
}

/// A call in the world.
pub struct Doing {
    pub call: Call,
    pub answer: eval::Answer,
    pub stopped: bool,
    /// When its receiver got it, and when it will be answered.
    pub sent: u64,
    pub at: u64,
}

pub struct Process {
    pub run: Run,
    pub writer: Writer,
    pub doing: BTreeMap<RequestId, Doing>,
    pub probes: BTreeMap<RequestId, (u64, Call)>,
    /// Values that are not appended yet.
    pub fresh: Vec<Artifact>,
    pub batch: Option<Batch>,
    /// How often the run was told to take back.
    pub rollbacks: u64,
    /// Somebody has cancelled it.
    pub cancelled: bool,
    /// What a run that was told everything from its start does next.
    pub twin: VecDeque<String>,
}

pub struct World<'a> {
    pub setup: &'a Setup,
    pub fate: Fate,
    pub tally: &'a mut Tally,
    pub disk: Disk,
    pub now: u64,
    pub dice: Dice,
    /// Every value that there ever was, by its name.
    pub values: HashMap<Checksum, (Artifact, Value)>,
    pub ledger: BTreeMap<RequestId, Remembered>,
    pub index: Index,
    /// The last append that was acknowledged.
    pub acked: (u64, Link),
    pub zombie: Option<Process>,
    /// Values that the living process has made, and not appended.
    pub made: Vec<Artifact>,
    /// The process stands where it could sleep.
    pub may_sleep: bool,
    pub recovering: bool,
    pub comparable: bool,
    /// Undoers that somebody has done by hand.
    pub by_hand: BTreeSet<String>,
    pub effects: BTreeSet<String>,
    pub trace: u64,
    pub crashed: u32,
    pub began: u64,
}

impl<'a> World<'a> {
    pub fn new(setup: &'a Setup, fate: Fate, tally: &'a mut Tally) -> World<'a> {
        World {
            setup,
            fate,
            tally,
            disk: Disk::new(fate.seed, fate.bug),
            now: 1,
            dice: Dice::new(fate.seed ^ 0x70_6e),
            values: HashMap::new(),
            ledger: BTreeMap::new(),
            index: Index::default(),
            acked: (0, Link::default()),
            zombie: None,
            made: Vec::new(),
            may_sleep: false,
            recovering: false,
            comparable: true,
            by_hand: BTreeSet::new(),
            effects: BTreeSet::new(),
            trace: 0,
            crashed: 0,
            began: u64::MAX,
        }
    }

    pub fn trace(&mut self, what: u64) {
        self.trace = (self.trace ^ what).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    pub fn artifact(&mut self, value: Value) -> Artifact {
        let artifact = SEALED.with_borrow_mut(|sealed| match sealed.get(&value) {
            Some(artifact) => artifact.clone(),
            None => {
                if sealed.len() > 50_000 {
                    sealed.clear();
                }
                let (media_type, payload) = ("text/plain".into(), value.to_string().into());
                let artifact = Draft { media_type, payload, ..Draft::default() }.seal(1, [7; 10]).unwrap();
                sealed.insert(value.clone(), artifact.clone());
                artifact
            }
        });
        self.values.entry(artifact.checksum()).or_insert_with(|| (artifact.clone(), value));
        artifact
    }

    pub fn value(&self, artifact: &Artifact) -> Value {
        self.values[&artifact.checksum()].1.clone()
    }

    pub fn facts(&self, call: &Call) -> &'a Facts {
        &self.setup.facts[call.worker.index()]
    }

    /// How the run ends.
    pub fn live(mut self) -> Result<Report, String> {
        let mut left = self.fate.crashes;
        loop {
            self.disk.fuse = match left {
                0 => u64::MAX,
                _ if self.fate.exactly => self.fate.life,
                _ => self.dice.next() % self.fate.life.max(1),
            };
            self.disk.faults = if left > 0 && !self.fate.exactly && self.dice.chance(20) { 60 } else { 0 };
            let mut process = None;
            let cause = match self.process(&mut process) {
                // Whoever has seen the end sees it again, also when the power is lost behind it.
                Ok(_) if left > 0 && !self.fate.exactly && self.dice.chance(15) => Cause::Ended,
                Ok(ending) => {
                    self.tally.runs += 1;
                    self.tally.operations += self.disk.ops;
                    let (comparable, operations) = (self.comparable, self.disk.ops);
                    return Ok(Report { ending, comparable, operations, trace: self.trace });
                }
                Err(Stop::Gone(cause)) => cause,
                Err(Stop::Fenced) => return Err("the owner is fenced".into()),
                Err(Stop::Broken(what)) => return Err(format!("{what}\n{}", self.journal())),
            };
            self.tally.crashes += 1;
            self.crashed += 1;
            left -= 1;
            self.crash(process, cause).map_err(|stop| format!("{stop:?}"))?;
        }
    }

    /// The records, for people.
    fn journal(&self) -> String {
        let records = self.disk.records.iter().filter_map(|bytes| Record::from_bytes(bytes).ok());
        records.map(|record| format!("{} {:?}\n", record.at, record.body)).collect()
    }

    /// A process is gone. What it had begun happens, or does not; nobody hears of it.
    fn crash(&mut self, process: Option<Process>, cause: Cause) -> Result<(), Stop> {
        if self.recovering {
            self.tally.hit("crash: during recovery");
        }
        let power = match cause {
            Cause::DiskFull => false,
            Cause::FlushFailed | Cause::Ended => true,
            Cause::Fuse => self.fate.power.unwrap_or_else(|| self.dice.chance(50)),
        };
        let sleeps = cause == Cause::Fuse && !power && !self.fate.exactly && self.may_sleep && self.dice.chance(50);
        self.tally.hit(match cause {
            Cause::Ended => "crash: after the end",
            Cause::DiskFull => "crash: disk full",
            Cause::FlushFailed => "crash: flush failed",
            _ if power => "crash: power lost",
            _ if sleeps => "crash: taken over",
            _ => "crash: killed",
        });
        self.trace(0xdead);
        if let Some(mut process) = process {
            for (request, doing) in std::mem::take(&mut process.doing) {
                if let Some(remembered) = self.ledger.get_mut(&request) {
                    remembered.stopped |= doing.stopped;
                }
                if self.fate.happens.unwrap_or_else(|| self.dice.chance(50)) {
                    self.happen(request, &doing)?;
                    process.doing.insert(request, doing);
                }
            }
            self.zombie = if sleeps { Some(process) } else { self.zombie.take() };
        }
        if power {
            self.disk.lose_power();
            self.zombie = None;
        }
        for remembered in self.ledger.values_mut() {
            remembered.before = remembered.begun > 0;
        }
        // Sometimes it takes long until somebody looks after it.
        let ms = if self.dice.chance(20) { 1 << 34 } else { 1 };
        self.now += ms * MILLISECOND;
        Ok(())
    }

    /// From its start to its end.
    fn process(&mut self, slot: &mut Option<Process>) -> Result<String, Stop> {
        self.recovering = true;
        self.may_sleep = false;
        self.made.clear();
        if self.disk.mount()? {
            self.tally.hit("torn tail dropped");
        }
        let mut writer = Writer::default();
        if self.fate.bug == Some(Bug::EpochRaisedAfterActing) {
            writer.epoch = self.disk.epoch;
        } else {
            self.disk.raise(&mut writer)?;
        }
        let mut log = std::mem::take(&mut self.disk.records);
        if self.fate.bug == Some(Bug::LastBatchDropped) && self.crashed > 0 {
            log.pop();
        }
        let told = self.recover(&log);
        self.disk.records = log;
        let (run, twin) = told?;
        self.recovering = false;
        let (doing, probes, fresh) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let mut process = Process {
            run,
            writer,
            doing,
            probes,
            fresh,
            batch: None,
            rollbacks: self.index.rollbacks,
            cancelled: false,
            twin,
        };
        if self.index.seq == 0 {
            let input = self.artifact(Value::text("x"));
            process.fresh.push(input);
        }
        self.carry_on(slot.insert(process))
    }

    fn begin(&mut self, at: u64) -> Run {
        let input = self.artifact(Value::text("x"));
        let Setup { limits, timeout_ms, .. } = *self.setup;
        let started = RunStarted {
            run: "run".into(),
            program: Checksum([1; 32]),
            file: "law.aivm".into(),
            input: input.checksum(),
            limits,
            timeout_ms,
            workspace: String::new(),
            params: Vec::new(),
            mock: false,
            principal: String::new(),
            version: String::new(),
            forked: None,
            cassette: None,
        };
        let (module, facts) = (self.setup.module.clone(), self.setup.facts.clone());
        let mut run = Run::start(module, input, limits, timeout_ms, facts, at, Some(started));
        run.checkpoint_after(self.setup.often);
        run
    }

    /// A run from the log alone, and what another one does that was told all of it.
    fn recover(&mut self, log: &[Vec<u8>]) -> Result<(Run, VecDeque<String>), Stop> {
        // Nothing that was acknowledged is lost or changed.
        let mut link = Link::default();
        for (seq, bytes) in (1..).zip(log) {
            link = link.then(seq, bytes);
            promise!(seq != self.acked.0 || link == self.acked.1, "the acknowledged records have changed");
        }
        promise!(self.acked.0 <= log.len() as u64, "acknowledged records are lost: {} of {}", log.len(), self.acked.0);
        self.index = Index::default();
        let mut again = Tally::default();
        let mut records = Vec::with_capacity(log.len());
        for bytes in log {
            records.push(self.index.add(bytes, self.now, self.least(), &mut again)?);
        }
        if log.is_empty() {
            if self.crashed > 0 {
                self.tally.hit("recovered before it began");
            }
            self.began = self.now;
            return Ok((self.begin(self.now), VecDeque::new()));
        }
        self.began = records[0].at;
        let from = records.iter().rposition(|record| matches!(record.body, Body::Checkpoint { .. }));
        self.disk.tick()?;
        let at = self.now;
        let mut run = self.told(log, &records, from)?;
        let ended = run.has_finished();
        self.tally.hit(if from.is_some() { "recovered from a checkpoint" } else { "recovered from the start" });
        if ended {
            self.tally.hit("recovered an ended run");
        }
        let mut twin = VecDeque::new();
        if from.is_some() {
            let mut other = self.told(log, &records, None)?;
            let (left, right) = (shown(&run), shown(&other));
            promise!(left == right, "a checkpoint gives another run:\n{left}\n{right}");
            resume(&mut other, at)?;
            twin = self.goes_on(&mut other)?;
        }
        resume(&mut run, at)?;
        self.disk.tick()?;
        Ok((run, twin))
    }

    pub fn least(&self) -> u64 {
        self.began.saturating_add(self.setup.least_ms.saturating_mul(MILLISECOND))
    }

    /// Told its records: all of them, or those after a checkpoint.
    fn told(&mut self, log: &[Vec<u8>], records: &[Record], from: Option<usize>) -> Result<Run, Stop> {
        let broken = |what: String| Stop::Broken(what);
        let (mut run, first) = match from {
            None => {
                let mut run = self.begin(self.began);
                run.begin_replay(&log[0]);
                (run, 1)
            }
            Some(at) => {
                let Body::Checkpoint { artifact } = records[at].body else {
                    return Err(broken("no checkpoint".into()));
                };
                let bytes = self.find(artifact).ok_or_else(|| broken("the checkpoint is lost".into()))?;
                let mut find = |sum| self.find(sum);
                let (module, facts) = (self.setup.module.clone(), self.setup.facts.clone());
                let saved = Saved::from_bytes(bytes.payload());
                let run = saved.and_then(|saved| saved.reload(module, facts, &log[at], &mut find));
                let mut run = run.map_err(|error| broken(format!("the checkpoint gives no run: {error}")))?;
                run.checkpoint_after(self.setup.often);
                (run, at + 1)
            }
        };
        for (at, (bytes, record)) in log.iter().zip(records).enumerate().skip(first) {
            if at % 4 == 3 {
                self.disk.tick()?;
            }
            self.go_to(&mut run, Some(record));
            let mut find = |sum| self.find(sum);
            run.replay(bytes, record, &mut find)
                .map_err(|error| broken(format!("the journal gives no run: {error}")))?;
        }
        self.go_to(&mut run, None);
        Ok(run)
    }

    /// From the disk, as it was written.
    fn find(&self, checksum: Checksum) -> Option<Artifact> {
        let bytes = self.disk.find(checksum)?;
        let known = self.values.get(&checksum)?;
        (known.0.bytes() == bytes).then(|| known.0.clone())
    }

    fn go_to(&mut self, run: &mut Run, record: Option<&Record>) {
        if record.is_some_and(|record| record.together || matches!(record.body, Body::Intent(_))) {
            return;
        }
        loop {
            match run.step() {
                Do::Make(make) => self.make(run, make),
                Do::Ended(_) | Do::Note(_) => {}
                Do::Yield if record.is_none_or(|record| run.is_before(record, &Do::Yield)) => {}
                _ => return,
            }
        }
    }

    /// What a run does until it waits, if all goes well.
    fn goes_on(&mut self, run: &mut Run) -> Result<VecDeque<String>, Stop> {
        let mut said = VecDeque::new();
        while said.len() < 64 {
            match run.step() {
                Do::Make(make) => self.make(run, make),
                what => {
                    said.push_back(said_by(&what));
                    if matches!(what, Do::Wait(_) | Do::Park(_) | Do::End(_) | Do::Checkpoint(_) | Do::Yield) {
                        break;
                    }
                }
            }
        }
        Ok(said)
    }

    /// The end as everybody sees it.
    pub fn ending(&mut self, end: &RunEnd) -> String {
        let result = match &end.result {
            Ok((value, verdict)) => format!("{} {verdict:?}", self.value(value)),
            Err((kind, error)) => format!("{kind:?} {:?}", error.as_ref().map(|error| &error.code)),
        };
        let undone: Vec<String> = end.not_undone.iter().map(StepKey::to_string).collect();
        format!("{:?} {result} not undone {undone:?} done {:?}", Status::of(end), self.effects)
    }

    pub fn happen(&mut self, request: RequestId, doing: &Doing) -> Result<(), Stop> {
        // A failure does nothing.
        let Ok(output) = &doing.answer.result else { return Ok(()) };
        let effect = self.facts(&doing.call).effect;
        if effect == Effect::Pure {
            return Ok(());
        }
        let remembered = self.ledger.entry(request).or_default();
        let knows = effect == Effect::Idempotent && remembered.live_until.is_none_or(|until| doing.sent < until);
        if remembered.done == 0 || !knows {
            remembered.done += 1;
        }
        remembered.output = Some(output.clone());
        promise!(effect <= Effect::Read || remembered.done == 1, "{}: done twice", doing.call.key);
        if effect > Effect::Read {
            self.effects.insert(format!("{} {}", doing.call.key, doing.call.attempt));
        }
        Ok(())
    }
}

fn resume(run: &mut Run, at: u64) -> Result<(), Stop> {
    run.resume(at).map_err(|error| Stop::Broken(format!("it does not go on: {error}")))
}

/// Of a worker whose call ends so.
pub fn failed(kind: EndKind, code: &str) -> Answer {
    let error = CallError { code: code.into(), message: String::new(), step: String::new() };
    Answer::Failed { kind, error, usage: Usage::default() }
}
