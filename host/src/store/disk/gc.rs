//! Which runs stay. Runs go whole, a batch of them in a transaction; then whatever nothing refers to any more: entries of the
//! index, files of payloads, folders of undoers, locks. It can be killed anywhere: what is left over goes the next time.

use super::index::DAMAGED;
use super::lock::{self, Lock};
use super::runs::stands;
use super::values::{outlive, staying};
use super::{Disk, io, performance};
use crate::kept;
use crate::mint::{Clock, SystemClock};
use crate::store::values::{Entry, Keeping, Selection, stale};
use crate::store::{RunRow, StoreError};
use aivm_schema::artifact::Checksum;
use aivm_schema::journal::Record;
use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::{FxHashMap, FxHashSet};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Of a transaction, at most: nobody else can write meanwhile.
const RUNS: usize = 64;
const RECORDS: u64 = 20_000;
/// What nobody refers to and is younger may be somebody's who has not said so yet.
const YOUNG: Duration = Duration::from_secs(3_600);
/// So many files of payloads are looked at by one transaction.
const SWEPT: usize = 1_000;
/// The index is swept in so many parts.
const PARTS: u8 = 16;
/// It pays to write the database anew when so many bytes of it, and a quarter, are free; and so many are not: nobody else can
/// write meanwhile.
const FREE: i64 = 1 << 20;
const LARGE: i64 = 256 << 20;

/// What is removed. Without any only what is left over.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Runs that ended before this moment, in Unix nanoseconds.
    pub before: Option<u64>,
    /// But for the newest so many of each program.
    pub keep: Option<usize>,
    /// Only those that ended so.
    pub status: Vec<String>,
    /// These in any case, however they stand.
    pub runs: Vec<String>,
    /// Values of no run that are meant by this.
    pub values: Option<Selection>,
    /// Which values outlive their runs, and for how long.
    pub keeping: Vec<Keeping>,
    /// The moment that it is, in Unix nanoseconds: values that say themselves how long they are kept are kept until then.
    pub now: u64,
}

impl Policy {
    pub(crate) fn is_general(&self) -> bool {
        self.before.is_some() || self.keep.is_some() || !self.status.is_empty()
    }
}

/// What was removed, or would be.
#[derive(Debug, Default)]
pub struct Collected {
    /// The runs, the oldest first.
    pub runs: Vec<RunRow>,
    /// Artifacts that they kept.
    pub artifacts: u64,
    /// Artifacts of them that are kept beyond them.
    pub outlive: u64,
    /// Artifacts of no run.
    pub values: u64,
    /// Of records, artifacts, and what their undoers would have put back.
    pub bytes: u64,
    /// Files and folders that nothing referred to before, and kept answers that do not hold any more.
    pub leftovers: u64,
    /// And their bytes.
    pub leftover_bytes: u64,
    /// Bytes of the database that are free for what comes.
    pub free: u64,
    /// So many rows are damaged: what they name is not known, so no file of a payload goes.
    pub damaged: u64,
    /// What could not be removed, and why.
    pub left: Vec<(PathBuf, std::io::Error)>,
}

/// A run that goes.
struct Leaving {
    row: RunRow,
    seq: u64,
    last: i64,
}

impl Disk {
    /// Removes runs, and what nothing refers to; `dry` only says what it would. A run that a process carries stays.
    pub fn collect(&self, policy: &Policy, dry: bool) -> Result<Collected, StoreError> {
        use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
        let is_busy = |error: &StoreError| matches!(error, StoreError::Database { source, .. } if matches!(source.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked)));
        self.collected(policy, dry).map_err(|error| match &error {
            StoreError::Stopped(dead) if is_busy(dead) => StoreError::Busy(self.path()),
            error if is_busy(error) => StoreError::Busy(self.path()),
            _ => error,
        })
    }

    fn path(&self) -> String {
        self.writer().folder.join("store.db").display().to_string()
    }

    fn collected(&self, policy: &Policy, dry: bool) -> Result<Collected, StoreError> {
        let mut collected = Collected::default();
        // Without its database nobody knows what is left over.
        if !Disk::is_there(&self.writer().folder) {
            return Ok(collected);
        }
        let leaving = self.leaving(policy)?;
        self.writer().catch_up()?;
        let values = self.values(policy)?;
        let objects = self.measure(&leaving, &values, policy, &mut collected)?;
        let mut batch = Vec::new();
        let mut records = 0;
        for run in leaving {
            records += run.seq;
            batch.push(run);
            if batch.len() == RUNS || records > RECORDS {
                self.remove(std::mem::take(&mut batch), policy, dry, &mut collected)?;
                records = 0;
            }
        }
        self.remove(batch, policy, dry, &mut collected)?;
        if !dry {
            self.take_out(&values)?;
            self.sweep_index()?;
        }
        self.sweep_objects(&objects, dry, &mut collected)?;
        self.sweep_folders(dry, &mut collected)?;
        let (answers, bytes) = self.sweep_answers(SystemClock.now(), dry)?;
        collected.leftovers += answers;
        collected.leftover_bytes += bytes;
        if !dry {
            collected.free = self.give_back()?;
        }
        Ok(collected)
    }

    /// The values of no run that go, each once.
    fn values(&self, policy: &Policy) -> Result<Vec<Entry>, StoreError> {
        let mut values = stale(self, &policy.keeping, policy.now)?;
        if let Some(meant) = &policy.values {
            values.extend(meant.leaving(self, policy.now)?);
        }
        values.sort_unstable_by_key(|entry| entry.checksum);
        values.dedup_by_key(|entry| entry.checksum);
        Ok(values)
    }

    /// The runs that the policy names, the oldest first.
    fn leaving(&self, policy: &Policy) -> Result<Vec<Leaving>, StoreError> {
        let mut names = Vec::new();
        if policy.is_general() {
            let mut kept: FxHashMap<String, usize> = FxHashMap::default();
            // The newest first.
            for row in self.runs("", i64::MAX as usize)? {
                let ended = matches!(row.status.as_str(), "sent" | "cancelled" | "failed" | "timeout");
                let asked = policy.status.is_empty() || policy.status.contains(&row.status);
                if !ended || !asked || row.quarantine.is_some() {
                    continue;
                }
                let newer = kept.entry(row.program.clone()).or_default();
                *newer += 1;
                if policy.keep.is_none_or(|keep| *newer > keep) && self.ended_before(&row, policy.before)? {
                    names.push(row.id);
                }
            }
            names.reverse();
        }
        names.extend(policy.runs.iter().cloned());
        let mut known = FxHashSet::default();
        let mut leaving = Vec::new();
        for name in names {
            if known.insert(name.clone())
                && !self.is_carried(&name)
                && let Some(stands) = self.writer().stands(&name)?
            {
                leaving.push(Leaving { row: stands.row, seq: stands.seq, last: stands.last });
            }
        }
        Ok(leaving)
    }

    fn ended_before(&self, row: &RunRow, before: Option<u64>) -> Result<bool, StoreError> {
        let Some(before) = before else { return Ok(true) };
        if row.started >= before {
            return Ok(false);
        }
        let last = self.last_record(&row.id)?.and_then(|bytes| Record::from_bytes(&bytes).ok());
        Ok(last.is_some_and(|last| last.at < before))
    }

    /// Counts what goes, and gives the digests of files that nothing else refers to.
    fn measure(
        &self,
        leaving: &[Leaving],
        values: &[Entry],
        policy: &Policy,
        collected: &mut Collected,
    ) -> Result<FxHashSet<[u8; 32]>, StoreError> {
        let writer = self.writer();
        for run in leaving {
            collected.bytes += size(kept::Kept::of(&writer.folder, &run.row.id).folder());
        }
        let state = writer.state();
        let database = &state.database;
        let measure = |collected: &mut Collected| -> rusqlite::Result<FxHashSet<[u8; 32]>> {
            forget(database)?;
            for run in leaving {
                gather(database, run)?;
            }
            let number = |select: &str| database.query_row(select, [], |row| row.get::<_, i64>(0)).map(|n| n as u64);
            collected.outlive = staying(&state, policy)?;
            spend(database, values)?;
            let artifacts = number("SELECT count(*) FROM artifact WHERE row IN (SELECT row FROM gone) AND key <> ''")?;
            collected.artifacts = artifacts.saturating_sub(collected.outlive);
            collected.values = values.len() as u64;
            let inside = number(
                "SELECT coalesce(sum(coalesce(length(records), 0) + coalesce(length(artifacts), 0)), 0)
                 FROM gone JOIN journal USING (row)",
            )?;
            let small = |table: &str| {
                number(&format!(
                    "SELECT coalesce(sum(size), 0) FROM {table} JOIN artifact USING (checksum, row) WHERE digest IS NULL"
                ))
            };
            collected.bytes += (inside + small("spent")?).saturating_sub(small("stays")?);
            let mut statement = database.prepare(
                "SELECT digest, max(size) FROM artifact WHERE digest IS NOT NULL GROUP BY digest
                 HAVING sum((row NOT IN (SELECT row FROM gone) AND (checksum, row) NOT IN (SELECT checksum, row FROM spent))
                            OR (checksum, row) IN (SELECT checksum, row FROM stays)) = 0",
            )?;
            let object = |row: &rusqlite::Row<'_>| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, i64>(1)? as u64));
            let objects: Vec<([u8; 32], u64)> = statement.query_map([], object)?.collect::<rusqlite::Result<_>>()?;
            collected.bytes += objects.iter().map(|(_, size)| size).sum::<u64>();
            Ok(objects.into_iter().map(|(digest, _)| digest).collect())
        };
        measure(collected).map_err(|source| writer.error(source))
    }

    /// Removes runs by one transaction; those that are another process's by now, or have changed, stay.
    fn remove(
        &self,
        batch: Vec<Leaving>,
        policy: &Policy,
        dry: bool,
        collected: &mut Collected,
    ) -> Result<(), StoreError> {
        if dry || batch.is_empty() {
            collected.runs.extend(batch.into_iter().map(|run| run.row));
            return Ok(());
        }
        let writer = self.writer();
        let mut ours = Vec::new();
        for run in batch {
            match Lock::take(&writer.folder, &run.row.id) {
                Ok(lock) => {
                    // Read before the transaction: until it is removed it is ours, and nobody adds to it.
                    let (performance, _) = self.performance_of(&run.row);
                    ours.push((run, lock, performance));
                }
                Err(StoreError::Owned(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let gone = writer.transaction(|state| {
            // What another run kept stands in its new place.
            state.index().map_err(|source| writer.error(source))?;
            let database = &state.database;
            let remove = || -> rusqlite::Result<Vec<bool>> {
                forget(database)?;
                let gone = ours.iter().map(|(run, _, performance)| {
                    let now = stands(database, &run.row.id)?;
                    let Some(now) = now.filter(|now| now.last == run.last && now.row == run.row) else {
                        return Ok(false);
                    };
                    gather(database, run)?;
                    performance::keep(database, performance)?;
                    for statement in [
                        "DELETE FROM signal WHERE run = ?1",
                        "DELETE FROM head WHERE run = ?1",
                        "DELETE FROM sealed WHERE run = ?1",
                        "DELETE FROM run WHERE number = ?1",
                    ] {
                        database.prepare_cached(statement)?.execute([now.number])?;
                    }
                    Ok(true)
                });
                let gone = gone.collect::<rusqlite::Result<_>>()?;
                staying(state, policy)?;
                outlive(database)?;
                database.execute("DELETE FROM journal WHERE row IN (SELECT row FROM gone)", [])?;
                Ok(gone)
            };
            remove().map_err(|source| writer.error(source))
        })?;
        // The lock is held until nothing is left: a new run of this name does not find what was another's.
        for ((run, lock, _), gone) in ours.into_iter().zip(gone) {
            if gone {
                remove_tree(kept::Kept::of(&writer.folder, &run.row.id).folder(), &mut collected.left);
                collected.runs.push(run.row);
            }
            drop(lock);
        }
        Ok(())
    }

    /// Entries of the index whose rows are gone.
    pub(super) fn sweep_index(&self) -> Result<(), StoreError> {
        let writer = self.writer();
        for part in 0..PARTS {
            let width = u8::MAX / PARTS;
            let (mut from, mut to) = ([0; 32], [u8::MAX; 32]);
            (from[0], to[0]) = (part * (width + 1), part * (width + 1) + width);
            writer.transaction(|state| {
                let delete = "DELETE FROM artifact WHERE checksum BETWEEN ?1 AND ?2
                     AND NOT EXISTS (SELECT 1 FROM journal WHERE journal.row = artifact.row)";
                let deleted = state.database.execute(delete, params![from, to]);
                deleted.map_err(|source| writer.error(source))
            })?;
        }
        Ok(())
    }

    /// Rows of which not everything can be read.
    pub(super) fn damaged(&self) -> Result<u64, StoreError> {
        let writer = self.writer();
        let select = "SELECT count(*) FROM artifact JOIN journal USING (row) WHERE checksum = ?1";
        let count = writer.state().database.query_row(select, [DAMAGED.0], |row| row.get::<_, i64>(0));
        count.map(|count| count as u64).map_err(|source| writer.error(source))
    }

    /// Files of payloads that no row names. Files are written within transactions, so within one nobody is about to name them.
    pub(super) fn sweep_objects(
        &self,
        leaving: &FxHashSet<[u8; 32]>,
        dry: bool,
        collected: &mut Collected,
    ) -> Result<(), StoreError> {
        let writer = self.writer();
        let now = SystemTime::now();
        let is_old = |metadata: &Metadata| {
            metadata.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age >= YOUNG))
        };
        collected.damaged = self.damaged()?;
        let unsure = collected.damaged > 0;
        // Some at a time: others wait to write meanwhile.
        for files in entries(&writer.folder.join("objects"))?.chunks(SWEPT) {
            let mut candidates = Vec::new();
            for file in files {
                let Ok(metadata) = fs::symlink_metadata(file) else { continue };
                let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let digest = name.parse::<Checksum>().ok().map(|digest| digest.0);
                let goes = digest.is_some_and(|digest| leaving.contains(&digest));
                let is_ours = digest.is_some() && !unsure || name.starts_with('.');
                if metadata.is_file() && is_ours && (goes || is_old(&metadata)) {
                    candidates.push((file.clone(), digest, goes, metadata.len()));
                }
            }
            if candidates.is_empty() {
                continue;
            }
            let sweep = |database: &Connection, collected: &mut Collected| -> rusqlite::Result<()> {
                let mut named = database
                    .prepare_cached("SELECT 1 FROM artifact JOIN journal USING (row) WHERE digest = ?1 LIMIT 1")?;
                for (file, digest, goes, size) in candidates {
                    let is_named = match digest {
                        Some(digest) => named.query_row([digest], |_| Ok(())).optional()?.is_some(),
                        None => false,
                    };
                    if is_named {
                        continue;
                    }
                    if !goes {
                        collected.leftovers += 1;
                        collected.leftover_bytes += size;
                    }
                    if !dry && let Err(error) = fs::remove_file(&file) {
                        collected.left.push((file, error));
                    }
                }
                Ok(())
            };
            if dry {
                sweep(&writer.state().database, collected).map_err(|source| writer.error(source))?;
            } else {
                writer.catch_up()?;
                writer.transaction(|state| {
                    let sweep = state.index().and_then(|()| sweep(&state.database, collected));
                    sweep.map_err(|source| writer.error(source))
                })?;
            }
        }
        Ok(())
    }

    /// What undoers would have put back, and locks, of runs that are not there; files of calls whose process is not there.
    fn sweep_folders(&self, dry: bool, collected: &mut Collected) -> Result<(), StoreError> {
        let folder = &self.writer().folder;
        // Listed before the runs are: whoever makes one has made its run before.
        let undo = entries(&folder.join("undo"))?;
        let steps = entries(&kept::Kept::steps_in(folder))?;
        let locks = entries(&folder.join("runs"))?;
        let (mut undoers, mut owned) = (FxHashSet::default(), FxHashSet::default());
        for row in self.runs("", i64::MAX as usize)? {
            undoers.insert(kept::Kept::of(folder, &row.id).folder().to_owned());
            owned.insert(lock::name(&row.id));
        }
        let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        for path in locks {
            let Some(name) = name(&path).filter(|name| name.ends_with(".lock") && !owned.contains(name)) else {
                continue;
            };
            let is_carried = fs::File::open(&path).is_ok_and(|file| file.try_lock_shared().is_err());
            if is_carried || !path.exists() {
                continue;
            }
            collected.leftovers += 1;
            if !dry {
                // It goes with its lock.
                drop(Lock::named(folder, &name, &name));
            }
        }
        for path in undo.into_iter().filter(|path| !undoers.contains(path)).chain(steps) {
            let Some(name) = name(&path) else { continue };
            let own = format!("{}.lock", name.trim_start_matches("run."));
            if dry && Lock::is_held(folder, &own) {
                continue;
            }
            // Nobody begins a run of this name meanwhile, or goes on with it.
            let lock = if dry { None } else { Lock::named(folder, &name, &own).ok() };
            if !dry && lock.is_none() {
                continue;
            }
            collected.leftovers += 1;
            collected.leftover_bytes += size(&path);
            if !dry {
                remove_tree(&path, &mut collected.left);
            }
        }
        Ok(())
    }

    /// Gives the space of what was removed back to the file system, where that pays; else the next runs use it. So much is free.
    fn give_back(&self) -> Result<u64, StoreError> {
        let writer = self.writer();
        let state = writer.state();
        let database = &state.database;
        let pragma = |name: &str| database.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let sizes = || Ok((pragma("page_size")?, pragma("page_count")?, pragma("freelist_count")?));
        let free = |(size, all, free): (i64, i64, i64)| (free * size, (all - free) * size);
        let (unused, used) = free(sizes().map_err(|source| writer.error(source))?);
        if unused >= FREE && unused >= used / 3 && used <= LARGE {
            // Without room for it, or while others read and write, everything stays as it is.
            let _ = database.execute_batch("VACUUM; PRAGMA wal_checkpoint(PASSIVE);");
        }
        Ok(free(sizes().map_err(|source| writer.error(source))?).0 as u64)
    }
}

/// Empties the table of rows that go.
fn forget(database: &Connection) -> rusqlite::Result<()> {
    database.execute_batch("CREATE TEMP TABLE IF NOT EXISTS gone (row INTEGER PRIMARY KEY); DELETE FROM gone;")
}

/// The places of values of no run that go.
fn spend(database: &Connection, values: &[Entry]) -> rusqlite::Result<()> {
    database.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS spent (checksum BLOB, row INTEGER, PRIMARY KEY (checksum, row)) WITHOUT ROWID;
         DELETE FROM spent;",
    )?;
    let insert = "INSERT OR IGNORE INTO spent SELECT checksum, row FROM artifact JOIN journal USING (row)
         WHERE checksum = ?1 AND run = 0";
    let mut insert = database.prepare_cached(insert)?;
    values.iter().try_for_each(|entry| insert.execute([entry.checksum.0]).map(drop))
}

/// Takes the rows of a run into that table: from the last back; all are looked through where one is not what it was.
fn gather(database: &Connection, run: &Leaving) -> rusqlite::Result<()> {
    let number: i64 =
        database.prepare_cached("SELECT number FROM run WHERE id = ?1")?.query_row([&run.row.id], |row| row.get(0))?;
    let mut previous = database.prepare_cached("SELECT previous FROM journal WHERE row = ?1 AND run = ?2")?;
    let mut insert = database.prepare_cached("INSERT OR IGNORE INTO gone VALUES (?1)")?;
    let mut row = run.last;
    while row != 0 {
        match previous.query_row([row, number], |row| row.get::<_, i64>(0)).optional()? {
            Some(before) if before < row => {
                insert.execute([row])?;
                row = before;
            }
            _ => {
                let all = "INSERT OR IGNORE INTO gone SELECT row FROM journal WHERE run = ?1";
                database.prepare_cached(all)?.execute([number])?;
                break;
            }
        }
    }
    Ok(())
}

/// What is in a folder; nothing when it is not there.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().map(|entry| entry.path()).collect()),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(source) => Err(io(folder, source)),
    }
}

/// Bytes of a file, or of all files in a folder.
fn size(path: &Path) -> u64 {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => entries(path).unwrap_or_default().iter().map(|path| size(path)).sum(),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    }
}

/// Removes a folder with everything in it, or notes why not.
fn remove_tree(path: &Path, left: &mut Vec<(PathBuf, std::io::Error)>) {
    if let Err(error) = kept::remove_tree(path) {
        left.push((path.to_owned(), error));
    }
}
