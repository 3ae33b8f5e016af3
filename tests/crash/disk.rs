//! A disk that is only simulated, and a store on it that keeps `append(run, epoch, expected_seq, records, artifacts)`.
//!
//! What is written is in the cache of the system, which outlives a process; what was flushed outlives the machine. Of the rest a
//! power loss keeps any sectors. Names are in a folder that is flushed by itself. Whoever cannot flush loses what was not flushed,
//! as a system that mounts its disk anew: this is what "storage that honours flushes" means here.

use crate::bugs::Bug;
use crate::dice::Dice;
use aivm_schema::artifact::{Artifact, Checksum};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Small, so that records and values are torn often.
const SECTOR: usize = 128;
/// Length and sum before each frame of the log.
const HEAD: usize = 12;

/// Why a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its time is up: killed, or the machine lost its power, or it sleeps while another takes its run.
    Fuse,
    FlushFailed,
    DiskFull,
    /// The run has ended, and the power is lost.
    Ended,
}

/// Why something is not carried on.
#[derive(Debug)]
pub enum Stop {
    Gone(Cause),
    Fenced,
    /// A promise is broken.
    Broken(String),
}

/// A file: as processes see it, and as it is on the platter. They may differ from `dirty` on.
#[derive(Default)]
struct File {
    cache: Vec<u8>,
    platter: Vec<u8>,
    dirty: usize,
}

impl File {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.cache.truncate(at);
        self.cache.extend_from_slice(bytes);
        self.dirty = self.dirty.min(at);
    }

    fn copy(&mut self, from: usize, to: usize) {
        if self.platter.len() < to {
            self.platter.resize(to, 0);
        }
        self.platter[from..to].copy_from_slice(&self.cache[from..to]);
    }

    fn flush(&mut self) {
        self.platter.truncate(self.cache.len());
        self.copy(self.dirty, self.cache.len());
        self.dirty = self.cache.len();
    }

    /// Some of what was not flushed is on the platter all the same: the first sectors, or any.
    fn tear(&mut self, dice: &mut Dice) {
        let any = dice.chance(30);
        let mut at = self.dirty;
        while at < self.cache.len() {
            let next = ((at / SECTOR + 1) * SECTOR).min(self.cache.len());
            if dice.chance(if any { 50 } else { 75 }) {
                self.copy(at, next);
            } else if !any {
                break;
            }
            at = next;
        }
    }

    /// A flush that fails: what is dirty is forgotten, and the next flush says that all is well.
    fn fail(&mut self, dice: &mut Dice) {
        self.tear(dice);
        self.dirty = self.cache.len();
    }

    fn lose(&mut self, dice: &mut Dice) {
        self.tear(dice);
        self.cache.clone_from(&self.platter);
        self.dirty = self.cache.len();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Of([u8; 32]),
    Tmp(usize),
}

/// What changes in the folder, in order.
struct Change {
    put: Name,
    file: usize,
    gone: Option<Name>,
}

/// What a process knows of the store.
#[derive(Default)]
pub struct Writer {
    pub epoch: u64,
    /// Files whose names it has flushed.
    synced: HashSet<Checksum>,
}

pub struct Disk {
    /// So many operations until the process ends.
    pub fuse: u64,
    /// Of them that were carried out.
    pub ops: u64,
    /// Of a thousand: flushes that fail, writes for which there is no room.
    pub faults: u64,
    pub bug: Option<Bug>,
    dice: Dice,
    log: File,
    files: Vec<File>,
    names: BTreeMap<Name, usize>,
    durable_names: BTreeMap<Name, usize>,
    changes: Vec<Change>,
    /// What the log says: the same for all processes.
    pub epoch: u64,
    pub records: Vec<Vec<u8>>,
    small: HashMap<Checksum, Vec<u8>>,
    end: usize,
    chain: u64,
}

/// Of the sum before and some bytes.
fn sum(before: u64, bytes: &[u8]) -> u64 {
    let mut sum = before ^ (bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for eight in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..eight.len()].copy_from_slice(eight);
        sum = (sum ^ u64::from_le_bytes(word)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        sum ^= sum >> 32;
    }
    sum
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn take<'t>(from: &mut &'t [u8]) -> Option<&'t [u8]> {
    let (length, rest) = from.split_first_chunk::<4>()?;
    let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *from = rest;
    Some(bytes)
}

/// Is this value a file of its own?
pub fn is_large(checksum: Checksum) -> bool {
    checksum.0[0].is_multiple_of(3)
}

impl Disk {
    pub fn new(seed: u64, bug: Option<Bug>) -> Disk {
        Disk {
            fuse: u64::MAX,
            ops: 0,
            faults: 0,
            bug,
            dice: Dice::new(seed ^ 0xd15c),
            log: File::default(),
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
            epoch: 0,
            records: Vec::new(),
            small: HashMap::new(),
            end: 0,
            chain: 0,
        }
    }

    /// One operation more, if the process lives to see it.
    pub fn tick(&mut self) -> Result<(), Stop> {
        self.ops += 1;
        match self.fuse.checked_sub(1) {
            Some(left) => self.fuse = left,
            None => return Err(Stop::Gone(Cause::Fuse)),
        }
        Ok(())
    }

    fn fault(&mut self) -> bool {
        self.faults > 0 && self.dice.next() % 1000 < self.faults
    }

    /// Writes into a file of the folder, or into the log: all of it, or what there was time or room for.
    fn write(&mut self, file: Option<usize>, at: usize, bytes: &[u8]) -> Result<(), Stop> {
        let stop = match self.tick() {
            Ok(()) if self.fault() => Some(Stop::Gone(Cause::DiskFull)),
            Ok(()) => None,
            Err(stop) => Some(stop),
        };
        let most = if stop.is_some() { self.dice.below(bytes.len() + 1) } else { bytes.len() };
        let file = match file {
            Some(file) => &mut self.files[file],
            None => &mut self.log,
        };
        file.write(at, &bytes[..most]);
        match stop {
            Some(Stop::Gone(Cause::DiskFull)) if self.bug == Some(Bug::GoingOnWithFullDisk) => Ok(()),
            Some(stop) => Err(stop),
            None => Ok(()),
        }
    }

    fn flush(&mut self, file: Option<usize>) -> Result<(), Stop> {
        self.tick()?;
        let fault = self.fault();
        let file = match file {
            Some(file) => &mut self.files[file],
            None => &mut self.log,
        };
        if !fault {
            file.flush();
            return Ok(());
        }
        file.fail(&mut self.dice);
        if self.bug == Some(Bug::GoingOnAfterFailedFlush) { Ok(()) } else { Err(Stop::Gone(Cause::FlushFailed)) }
    }

    fn flush_names(&mut self) -> Result<(), Stop> {
        self.tick()?;
        if self.fault() && self.bug != Some(Bug::GoingOnAfterFailedFlush) {
            return Err(Stop::Gone(Cause::FlushFailed));
        }
        for change in std::mem::take(&mut self.changes) {
            change.carry_out(&mut self.durable_names);
        }
        Ok(())
    }

    fn rename(&mut self, from: Option<Name>, to: Name, file: usize) -> Result<(), Stop> {
        self.tick()?;
        let change = Change { put: to, file, gone: from };
        change.carry_out(&mut self.names);
        self.changes.push(change);
        Ok(())
    }

    /// A value as a file, named by its content.
    fn put_file(&mut self, writer: &mut Writer, checksum: Checksum, bytes: &[u8]) -> Result<(), Stop> {
        let bug = self.bug;
        let name = Name::Of(checksum.0);
        if self.names.contains_key(&name) {
            // Whoever wrote it was perhaps killed before its name was flushed.
            if !writer.synced.contains(&checksum) && bug != Some(Bug::DedupeSkipsSync) {
                self.flush_names()?;
                writer.synced.insert(checksum);
            }
            return Ok(());
        }
        let file = self.files.len();
        self.files.push(File::default());
        self.rename(None, Name::Tmp(file), file)?;
        self.write(Some(file), 0, bytes)?;
        if !matches!(bug, Some(Bug::ArtifactNotFlushed | Bug::RenameBeforeFlush)) {
            self.flush(Some(file))?;
        }
        self.rename(Some(Name::Tmp(file)), name, file)?;
        if bug != Some(Bug::NoDirectorySync) {
            self.flush_names()?;
        }
        if bug == Some(Bug::RenameBeforeFlush) {
            self.flush(Some(file))?;
        }
        writer.synced.insert(checksum);
        Ok(())
    }

    fn put_files(&mut self, writer: &mut Writer, artifacts: &[Artifact]) -> Result<(), Stop> {
        for artifact in artifacts.iter().filter(|artifact| is_large(artifact.checksum())) {
            self.put_file(writer, artifact.checksum(), artifact.bytes())?;
        }
        Ok(())
    }

    /// Durable when it returns. What is large goes first, what is small together with the records.
    pub fn append(
        &mut self,
        writer: &mut Writer,
        expected: u64,
        records: &[Vec<u8>],
        artifacts: &[Artifact],
    ) -> Result<(), Stop> {
        let late = self.bug == Some(Bug::OutcomeBeforeArtifact);
        if !late {
            self.put_files(writer, artifacts)?;
        }
        let fenced = self.epoch != writer.epoch && self.bug != Some(Bug::EpochNotChecked);
        if fenced || self.records.len() as u64 != expected {
            return Err(Stop::Fenced);
        }
        let small = artifacts.iter().filter(|artifact| !is_large(artifact.checksum()));
        let mut frame = vec![1];
        frame.extend_from_slice(&(records.len() as u32).to_le_bytes());
        for record in records {
            put(&mut frame, record);
        }
        for artifact in small.filter(|artifact| !self.small.contains_key(&artifact.checksum())) {
            frame.extend_from_slice(&artifact.checksum().0);
            put(&mut frame, artifact.bytes());
        }
        self.commit(&frame)?;
        if late {
            self.put_files(writer, artifacts)?;
        }
        Ok(())
    }

    /// Takes the run over: from now on nobody else appends to it. Everything that was written before is durable, too.
    pub fn raise(&mut self, writer: &mut Writer) -> Result<(), Stop> {
        let mut frame = vec![0];
        frame.extend_from_slice(&(self.epoch + 1).to_le_bytes());
        self.commit(&frame)?;
        writer.epoch = self.epoch;
        Ok(())
    }

    fn commit(&mut self, frame: &[u8]) -> Result<(), Stop> {
        let chain = sum(self.chain, frame);
        let mut bytes = Vec::with_capacity(HEAD + frame.len());
        bytes.extend_from_slice(&(frame.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&chain.to_le_bytes());
        bytes.extend_from_slice(frame);
        let at = if self.bug == Some(Bug::TornTailKept) { self.log.cache.len() } else { self.end };
        self.write(None, at, &bytes)?;
        // From here on others see it.
        self.end = at + bytes.len();
        self.chain = chain;
        if self.read(frame).is_none() {
            return Err(Stop::Broken("what was written cannot be read".into()));
        }
        let lazy = match self.bug {
            Some(Bug::AckBeforeCommit) => true,
            Some(Bug::EpochNotFlushed) => frame.first() == Some(&0),
            _ => false,
        };
        if lazy { Ok(()) } else { self.flush(None) }
    }

    fn read(&mut self, frame: &[u8]) -> Option<()> {
        let (kind, mut rest) = frame.split_first()?;
        if *kind == 0 {
            self.epoch = u64::from_le_bytes(rest.try_into().ok()?);
            return Some(());
        }
        let (count, more) = rest.split_first_chunk::<4>()?;
        rest = more;
        for _ in 0..u32::from_le_bytes(*count) {
            self.records.push(take(&mut rest)?.to_vec());
        }
        while let Some((checksum, more)) = rest.split_first_chunk::<32>() {
            rest = more;
            self.small.insert(Checksum(*checksum), take(&mut rest)?.to_vec());
        }
        Some(())
    }

    /// Reads the log: up to what is torn. Was anything?
    pub fn mount(&mut self) -> Result<bool, Stop> {
        self.tick()?;
        (self.epoch, self.end, self.chain) = (0, 0, 0);
        self.records.clear();
        self.small.clear();
        let log = std::mem::take(&mut self.log.cache);
        let unchecked = self.bug == Some(Bug::ChainNotChecked);
        let mut readable = true;
        while let Some((head, rest)) = log[self.end..].split_first_chunk::<HEAD>() {
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            let said = head[4..].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            let Some(frame) = rest.get(..length).filter(|_| length > 0) else { break };
            let chain = sum(self.chain, frame);
            if said != chain && !unchecked {
                break;
            }
            readable &= self.read(frame).is_some();
            self.end += HEAD + length;
            self.chain = chain;
        }
        let torn = log[self.end..].iter().any(|byte| *byte != 0);
        self.log.cache = log;
        if readable { Ok(torn) } else { Err(Stop::Broken("the log cannot be read".into())) }
    }

    /// A value, if it is there and whole.
    pub fn find(&self, checksum: Checksum) -> Option<&[u8]> {
        match self.names.get(&Name::Of(checksum.0)) {
            Some(file) => Some(&self.files[*file].cache),
            None => self.small.get(&checksum).map(Vec::as_slice),
        }
    }

    /// The machine is gone, with what was not flushed.
    pub fn lose_power(&mut self) {
        self.log.lose(&mut self.dice);
        for file in &mut self.files {
            file.lose(&mut self.dice);
        }
        let kept = self.dice.below(self.changes.len() + 1);
        for change in std::mem::take(&mut self.changes).into_iter().take(kept) {
            change.carry_out(&mut self.durable_names);
        }
        self.names.clone_from(&self.durable_names);
    }
}

impl Change {
    fn carry_out(&self, names: &mut BTreeMap<Name, usize>) {
        if let Some(gone) = self.gone {
            names.remove(&gone);
        }
        names.insert(self.put, self.file);
    }
}
