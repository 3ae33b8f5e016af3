//! Changes to files that can be taken back exactly. Before anything is changed, what is there is kept aside and a record says
//! what will be done; both are durable first. A call that is repeated finds its record, and does not take its own work for what
//! was there before. A call that fails has changed nothing; a restore that cannot be exact changes nothing either.
//!
//! `undo/back.rs` takes back what a tool did; `undo/shelf.rs` keeps the record and what is aside; `undo/tree.rs` looks at, copies and removes.

use super::Failure;
use super::beneath::{self, Place, Workspace, components, failed, move_to};
use super::input::Call;
use rustix::fs::{self, AtFlags, Mode};
use rustix::io::Errno;
pub(super) use shelf::Shelf;
use shelf::{Entry, Record, io};
use std::borrow::Cow;
use std::io::Write;
use tree::State;

pub(super) mod back;
mod shelf;
mod tree;

/// The largest file that is added to, in bytes.
const MOST_APPENDED: usize = super::MOST_BYTES;
/// How the key of an undoer ends that of the call which it takes back.
pub(super) const UNDO: &str = "~undo";

/// A change to one file or folder. Paths are relative to the workspace.
pub(super) enum Change<'c> {
    /// A file has these bytes. `replace`: may one with others stand there? `append`: they follow what stands there.
    Write { path: &'c str, bytes: &'c [u8], replace: bool, append: bool },
    /// A file or folder has another path. `replace`: may a file stand there?
    Move { from: &'c str, to: &'c str, replace: bool },
    /// Nothing has this path. `deep`: also when it is a folder's.
    Remove { path: &'c str, deep: bool },
    /// A folder has this path.
    Folder { path: &'c str },
}

/// How far a change has come.
#[derive(Clone, Copy, PartialEq)]
enum Stand {
    Before,
    After,
    /// Moved back, and what it had replaced is not back yet.
    Half,
}

/// Makes all of these changes, or none.
pub(super) fn perform(call: &Call<'_>, changes: &[Change<'_>]) -> Result<(), Failure> {
    let key = call.context.key.to_string();
    let workspace = Workspace::open(call.context.workspace)?;
    let shelf = Shelf::make(call.context.kept, &key)?;
    let request = request(changes);
    let known = shelf.read()?.filter(|record| !record.restored);
    let mut stands = vec![Stand::Before; changes.len()];
    let record = match known {
        Some(record) if record.request == request && record.entries.len() == changes.len() => {
            stands = Work { workspace: &workspace, shelf: &shelf, record: &record }.stands()?;
            record
        }
        Some(_) => return Err(shelf.damaged(format!("is of another call at {key}"))),
        None => {
            let mut taking = Taking { workspace: &workspace, shelf: &shelf, record: Record::new(&key, request) };
            match taking.all(changes) {
                Ok(()) => taking.record,
                Err(failure) => {
                    shelf.forget(changes.len())?;
                    return Err(failure);
                }
            }
        }
    };
    let work = Work { workspace: &workspace, shelf: &shelf, record: &record };
    let done = changes.iter().enumerate().zip(stands).try_for_each(|((at, change), stand)| {
        call.stop()?;
        work.do_one(at, change, stand)
    });
    if done.is_err() && work.undo_all().is_ok() {
        shelf.forget(changes.len())?;
    }
    done
}

/// Takes back what the call did whose undoer this is.
pub(super) fn restore(call: &Call<'_>) -> Result<(), Failure> {
    let key = call.context.key.to_string();
    // An undoer may be a definition, and what it calls has a longer key.
    let Some((key, _)) = key.rsplit_once(UNDO) else {
        return Err(Failure::NotKept(format!(
            "`restore` takes back what another step did: write it behind that step, `step ~ restore`; {key} undoes nothing"
        )));
    };
    let none =
        || Failure::NotKept(format!("nothing was kept for {key}: only what changes files by itself is restored"));
    let shelf = Shelf::find(call.context.kept, key)?.ok_or_else(none)?;
    let record = shelf.read()?.ok_or_else(none)?;
    put_back(call, &shelf, &record)
}

fn put_back(call: &Call<'_>, shelf: &Shelf, record: &Record) -> Result<(), Failure> {
    if !record.restored {
        let workspace = Workspace::open(call.context.workspace)?;
        Work { workspace: &workspace, shelf, record }.undo_all()?;
        shelf.write(&Record { restored: true, ..record.clone() })?;
    }
    shelf.clear(record.entries.len())
}

/// Has this very call made its changes, before it was interrupted?
pub(super) fn is_done(call: &Call<'_>) -> Result<bool, Failure> {
    let Some(shelf) = Shelf::find(call.context.kept, &call.context.key.to_string())? else { return Ok(false) };
    let Some(record) = shelf.read()?.filter(|record| !record.restored) else { return Ok(false) };
    let workspace = Workspace::open(call.context.workspace)?;
    let stands = Work { workspace: &workspace, shelf: &shelf, record: &record }.stands()?;
    if stands.iter().any(|stand| *stand != Stand::After) {
        return Ok(false);
    }
    for path in record.paths() {
        workspace.make(path)?.sync()?;
    }
    Ok(true)
}

/// What is asked for, as a digest.
fn request(changes: &[Change<'_>]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |fields: &[&[u8]]| {
        for field in fields {
            hasher.update(&(field.len() as u64).to_le_bytes()).update(field);
        }
    };
    for change in changes {
        match change {
            Change::Write { path, bytes, append, .. } => add(&[b"write", path.as_bytes(), bytes, &[u8::from(*append)]]),
            Change::Move { from, to, .. } => add(&[b"move", from.as_bytes(), to.as_bytes()]),
            Change::Remove { path, .. } => add(&[b"remove", path.as_bytes()]),
            Change::Folder { path } => add(&[b"mkdir", path.as_bytes()]),
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// The bytes that a file has after a write.
fn content<'c>(place: Option<&Place<'_>>, bytes: &'c [u8], append: bool) -> Result<Cow<'c, [u8]>, Failure> {
    let Some(Place { folder, name, path }) = place.filter(|_| append) else { return Ok(Cow::Borrowed(bytes)) };
    match beneath::open(folder, name, path) {
        Ok(beneath::Found::File(file)) => {
            let mut all = beneath::read(file, path, MOST_APPENDED)?;
            all.extend_from_slice(bytes);
            Ok(Cow::Owned(all))
        }
        Ok(beneath::Found::Folder(_)) | Err(Failure::Missing(_)) => Ok(Cow::Borrowed(bytes)),
        Err(failure) => Err(failure),
    }
}

/// The record, while it is made.
struct Taking<'t> {
    workspace: &'t Workspace,
    shelf: &'t Shelf,
    record: Record,
}

impl Taking<'_> {
    fn all(&mut self, changes: &[Change<'_>]) -> Result<(), Failure> {
        self.shelf.clear(changes.len())?;
        for (at, change) in changes.iter().enumerate() {
            let entry = match change {
                Change::Write { path, bytes, replace, append } => self.write(at, path, bytes, *replace, *append)?,
                Change::Move { from, to, replace } => self.r#move(at, from, to, *replace)?,
                Change::Remove { path, deep } => self.remove(path, *deep)?,
                Change::Folder { path } => self.folder(path)?,
            };
            self.record.entries.push(entry);
        }
        self.shelf.write(&self.record)
    }

    fn folders_above(&mut self, path: &str) -> Result<(), Failure> {
        for folder in self.workspace.missing_folders(path)? {
            if !self.record.folders.contains(&folder) {
                self.record.folders.push(folder);
            }
        }
        Ok(())
    }

    fn write(&mut self, at: usize, path: &str, bytes: &[u8], replace: bool, append: bool) -> Result<Entry, Failure> {
        let place = self.workspace.at(path)?;
        let before = State::of(place.as_ref())?;
        let after = State::file(&content(place.as_ref(), bytes, append)?);
        if let (Some(place), false) = (&place, before == State::Nothing || before.is(&after)) {
            match before {
                State::Folder { .. } => return Err(place.refuse("is a folder: name a file")),
                _ if !replace && !append => return Err(place.taken()),
                _ => self.shelf.keep_copy(at, place)?,
            }
        }
        self.folders_above(path)?;
        Ok(Entry::Set { path: path.to_owned(), before, after })
    }

    fn r#move(&mut self, at: usize, from: &str, to: &str, replace: bool) -> Result<Entry, Failure> {
        let (names, new_names) = (components(from)?, components(to)?);
        if new_names.starts_with(&names) {
            return Err(Failure::Path {
                path: to.to_owned(),
                reason: format!("lies within `{from}`: nothing is moved into itself"),
            });
        }
        let source = self.workspace.at(from)?;
        let what = State::of(source.as_ref())?;
        match (&source, &what) {
            (None, _) | (_, State::Nothing) => return Err(missing(from)),
            (Some(source), State::Folder { .. }) => tree::check(source)?,
            _ => {}
        }
        let place = self.workspace.at(to)?;
        let before = State::of(place.as_ref())?;
        if let (Some(place), true) = (&place, before != State::Nothing) {
            match before {
                State::Folder { .. } => return Err(place.refuse("is a folder: name the place in it")),
                _ if !replace => return Err(place.refuse("exists: choose another path, or set `replace = true`")),
                _ if matches!(what, State::Folder { .. }) => {
                    return Err(place.refuse("is a file, and a folder is moved"));
                }
                _ => self.shelf.keep_copy(at, place)?,
            }
        }
        self.folders_above(to)?;
        Ok(Entry::Move { from: from.to_owned(), to: to.to_owned(), what, before })
    }

    fn remove(&mut self, path: &str, deep: bool) -> Result<Entry, Failure> {
        let place = self.workspace.at(path)?;
        let mut before = State::of(place.as_ref())?;
        match (&place, &mut before) {
            (None, _) | (_, State::Nothing) => return Err(missing(path)),
            (Some(place), State::Folder { inode }) => {
                if !deep {
                    return Err(place.refuse("is a folder: set `deep = true` to remove it with all that is in it"));
                }
                tree::check(place)?;
                // A copy put back is another.
                *inode = 0;
            }
            _ => {}
        }
        Ok(Entry::Set { path: path.to_owned(), before, after: State::Nothing })
    }

    fn folder(&mut self, path: &str) -> Result<Entry, Failure> {
        let place = self.workspace.at(path)?;
        let before = State::of(place.as_ref())?;
        let any = State::Folder { inode: 0 };
        if let (Some(place), false) = (&place, before == State::Nothing || before.is(&any)) {
            return Err(place.refuse(format!("is {} already", before.text())));
        }
        self.folders_above(path)?;
        Ok(Entry::Set { path: path.to_owned(), before, after: any })
    }
}

fn missing(path: &str) -> Failure {
    Failure::Missing(format!("there is no `{path}` in the workspace"))
}

/// A call with a record.
struct Work<'w> {
    workspace: &'w Workspace,
    shelf: &'w Shelf,
    record: &'w Record,
}

impl Work<'_> {
    fn stands(&self) -> Result<Vec<Stand>, Failure> {
        self.record.entries.iter().enumerate().map(|(at, entry)| self.stand(at, entry)).collect()
    }

    /// Makes one change, unless that is done.
    fn do_one(&self, at: usize, change: &Change<'_>, stand: Stand) -> Result<(), Failure> {
        let entry = self.record.entries.get(at).ok_or_else(|| self.shelf.damaged("lacks a change".into()))?;
        match (entry, change) {
            (Entry::Move { to, what, .. }, _) if stand == Stand::Half => {
                Err(changed(to, &difference(&State::Nothing, what)))
            }
            (Entry::Move { from, to, before, .. }, _) => {
                let place = self.workspace.make(to)?;
                let source = self.workspace.at(from)?;
                if let (Some(source), Stand::Before) = (&source, stand) {
                    let replace = *before != State::Nothing;
                    rename(source, &place, replace)?;
                }
                if let Some(source) = source {
                    source.sync()?;
                }
                place.sync()
            }
            (Entry::Set { path, before, after }, Change::Write { bytes, replace, append, .. }) => {
                let place = self.workspace.make(path)?;
                if stand == Stand::Before && !before.is(after) {
                    let bytes = content(Some(&place), bytes, *append)?;
                    self.write(at, &place, &bytes, *replace || *before != State::Nothing)?;
                }
                place.sync()
            }
            (Entry::Set { path, .. }, Change::Remove { .. }) => match (self.workspace.at(path)?, stand) {
                (Some(place), Stand::Before) => self.shelf.take(at, &place),
                (place, _) => self.shelf.taken(at, place.as_ref()),
            },
            (Entry::Set { path, .. }, Change::Folder { .. }) => {
                let place = self.workspace.make(path)?;
                match fs::mkdirat(&place.folder, place.name, Mode::from_raw_mode(0o777)) {
                    Ok(()) | Err(Errno::EXIST) => place.sync(),
                    Err(error) => Err(failed("create", path, error)),
                }
            }
            (Entry::Set { .. }, Change::Move { .. }) => Err(self.shelf.damaged("is of another call".into())),
        }
    }

    /// A file whole or not at all. It has the permissions of the one that it replaces.
    fn write(&self, at: usize, place: &Place<'_>, bytes: &[u8], replace: bool) -> Result<(), Failure> {
        let temporary = self.shelf.beside(at);
        let failed = |error| failed("write", place.path, error);
        let mode = tree::permissions_of(&place.folder, place.name).map_err(failed)?;
        tree::remove(&place.folder, &temporary).map_err(failed)?;
        let mut file = tree::new_file(&place.folder, &temporary, Mode::from_raw_mode(0o666)).map_err(failed)?;
        let written = file.write_all(bytes).and_then(|()| match mode {
            Some(mode) => Ok(fs::fchmod(&file, mode)?),
            None => Ok(()),
        });
        let written = written.and_then(|()| file.sync_all()).map_err(|source| io("write", place.path, source));
        let placed = written.and_then(|()| place.take(&temporary, replace));
        if placed.is_err() {
            // What stays behind when this fails is a stray file, never a wrong one.
            let _ = tree::remove(&place.folder, &temporary);
        }
        placed
    }

    /// How far a change has come; fails when somebody else has changed something meanwhile.
    fn stand(&self, at: usize, entry: &Entry) -> Result<Stand, Failure> {
        match entry {
            Entry::Set { path, before, after } => {
                let now = State::of(self.workspace.at(path)?.as_ref())?;
                if *after == State::Nothing && now != State::Nothing && self.shelf.has(at)? {
                    return Err(changed(path, &format!("it was removed, and {} is there again", now.text())));
                }
                match () {
                    () if now.is(after) => Ok(Stand::After),
                    () if now.is(before) => Ok(Stand::Before),
                    () => Err(changed(path, &difference(&now, after))),
                }
            }
            Entry::Move { from, to, what, before } => {
                let here = State::of(self.workspace.at(from)?.as_ref())?;
                let there = State::of(self.workspace.at(to)?.as_ref())?;
                match () {
                    () if here == State::Nothing && there.is(what) => Ok(Stand::After),
                    () if here.is(what) && there.is(before) => Ok(Stand::Before),
                    () if here.is(what) && there == State::Nothing => Ok(Stand::Half),
                    () if here == State::Nothing => Err(changed(to, &difference(&there, what))),
                    () => Err(changed(from, &format!("it was moved away, and {} is there again", here.text()))),
                }
            }
        }
    }

    /// Takes everything back, or touches nothing and says why.
    fn undo_all(&self) -> Result<(), Failure> {
        let stands = self.stands()?;
        let done = || self.record.entries.iter().enumerate().zip(&stands).filter(|(_, stand)| **stand != Stand::Before);
        for ((at, entry), _) in done() {
            self.may_undo(at, entry)?;
        }
        for ((at, entry), _) in done().collect::<Vec<_>>().into_iter().rev() {
            self.undo_one(at, entry)?;
        }
        for folder in self.record.folders.iter().rev() {
            let Some(place) = self.workspace.at(folder)? else { continue };
            // What others have put into it meanwhile stays, and the folder with it.
            if fs::unlinkat(&place.folder, place.name, AtFlags::REMOVEDIR).is_ok() {
                place.sync()?;
            }
        }
        Ok(())
    }

    fn may_undo(&self, at: usize, entry: &Entry) -> Result<(), Failure> {
        match entry {
            Entry::Set { before, after, .. } if before.is(after) => Ok(()),
            Entry::Set { path, before: State::Nothing, after: State::Folder { .. } } => {
                let Some(place) = self.workspace.at(path)? else { return Ok(()) };
                match tree::is_empty(&place.folder, place.name) {
                    Ok(false) => Err(changed(path, "the folder was empty, and something is in it now")),
                    Ok(true) | Err(Errno::NOENT) => Ok(()),
                    Err(error) => Err(failed("read", path, error)),
                }
            }
            Entry::Set { before, .. } | Entry::Move { before, .. } => self.shelf.check(at, before),
        }
    }

    fn undo_one(&self, at: usize, entry: &Entry) -> Result<(), Failure> {
        match entry {
            Entry::Set { before, after, .. } if before.is(after) => Ok(()),
            Entry::Set { path, before: State::Nothing, after } => {
                let Some(place) = self.workspace.at(path)? else { return Ok(()) };
                let flags = match after {
                    State::Folder { .. } => AtFlags::REMOVEDIR,
                    _ => AtFlags::empty(),
                };
                match fs::unlinkat(&place.folder, place.name, flags) {
                    Ok(()) | Err(Errno::NOENT) => place.sync(),
                    Err(error) => Err(failed("remove", path, error)),
                }
            }
            Entry::Set { path, after, .. } => {
                let place = self.workspace.make(path)?;
                if *after == State::Nothing {
                    self.shelf.taken(at, Some(&place))?;
                }
                self.shelf.put_back(at, &place)
            }
            Entry::Move { from, to, before, .. } => {
                let source = self.workspace.make(from)?;
                let Some(place) = self.workspace.at(to)? else { return Err(missing(to)) };
                if State::of(Some(&source))? == State::Nothing {
                    rename(&place, &source, false)?;
                    source.sync()?;
                    place.sync()?;
                }
                if *before == State::Nothing { Ok(()) } else { self.shelf.put_back(at, &place) }
            }
        }
    }
}

fn rename(from: &Place<'_>, to: &Place<'_>, replace: bool) -> Result<(), Failure> {
    move_to(&from.folder, from.name, &to.folder, to.name, replace).map_err(|error| match error {
        Errno::EXIST => to.taken(),
        error => failed("move", from.path, error),
    })
}

fn changed(path: &str, reason: &str) -> Failure {
    Failure::Changed { path: path.to_owned(), reason: reason.to_owned() }
}

fn difference(now: &State, expected: &State) -> String {
    let (now, expected) = (now.text(), expected.text());
    if now == expected {
        format!("{now} was left there, and another is there now")
    } else {
        format!("{expected} was left there, and {now} is there now")
    }
}
