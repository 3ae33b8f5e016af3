//! Vectors in the file. The slots of a space have no gaps: where a part goes, the last one takes its place.

use super::matrix::{self, About, Near, Nearest, Query};
use super::{File, facts, metadata, nonsense};
use crate::memory::vectors::{Embedded, Later, Space, Vectors, note_of, part_id};
use crate::memory::{Filter, Hit, Note, Place, Search};
use rusqlite::{OptionalExtension, Transaction, params, params_from_iter};

/// Of a search by bytes, so many more than are asked for are looked at again.
const AGAIN: usize = 4;

/// One slot in so many is looked up by itself rather than found on the way.
const RARE: usize = 50;

/// A space, as a transaction sees it.
struct Open<'a> {
    database: &'a Transaction<'a>,
    number: i64,
    dimensions: usize,
    size: i64,
    /// The block that is being written.
    block: Option<(i64, Vec<u8>)>,
}

impl<'a> Open<'a> {
    /// None: it is not there.
    fn find(database: &'a Transaction<'a>, space: &Space) -> rusqlite::Result<Option<Open<'a>>> {
        let select =
            "SELECT number, size FROM space WHERE place = ?1 AND collection = ?2 AND embedder = ?3 AND dimensions = ?4";
        let Space { place, collection, embedder, dimensions } = space;
        let named = params![place.to_string(), collection, embedder, *dimensions as i64];
        let found =
            database.prepare_cached(select)?.query_row(named, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(found.map(|(number, size)| Open { database, number, dimensions: *dimensions, size, block: None }))
    }

    fn make(database: &'a Transaction<'a>, space: &Space) -> rusqlite::Result<Open<'a>> {
        if let Some(open) = Open::find(database, space)? {
            return Ok(open);
        }
        let Space { place, collection, embedder, dimensions } = space;
        let named = params![place.to_string(), collection, embedder, *dimensions as i64];
        let insert = "INSERT INTO space (place, collection, embedder, dimensions, size) VALUES (?1, ?2, ?3, ?4, 0)";
        database.execute(insert, named)?;
        let number = database.last_insert_rowid();
        Ok(Open { database, number, dimensions: *dimensions, size: 0, block: None })
    }

    /// The row of a slot, and of a block.
    fn row(&self, slot: i64) -> i64 {
        self.number << 32 | slot
    }

    fn in_block(&self) -> i64 {
        matrix::in_block(self.dimensions) as i64
    }

    /// Writes the block that is being written.
    fn flush(&mut self) -> rusqlite::Result<()> {
        let Some((block, bytes)) = self.block.take() else { return Ok(()) };
        let row = self.row(block);
        self.database
            .prepare_cached("INSERT OR REPLACE INTO quantised VALUES (?1, ?2)")?
            .execute(params![row, bytes])?;
        Ok(())
    }

    /// The bytes of a slot in its block, to be written.
    fn quantised(&mut self, slot: i64) -> rusqlite::Result<&mut [u8]> {
        let (block, stride) = (slot / self.in_block(), matrix::stride(self.dimensions));
        if self.block.as_ref().is_none_or(|(open, _)| *open != block) {
            self.flush()?;
            let mut select = self.database.prepare_cached("SELECT vectors FROM quantised WHERE block = ?1")?;
            let bytes: Option<Vec<u8>> = select.query_row([self.row(block)], |row| row.get(0)).optional()?;
            let mut bytes = bytes.unwrap_or_default();
            bytes.resize(stride * self.in_block() as usize, 0);
            self.block = Some((block, bytes));
        }
        let at = (slot % self.in_block()) as usize * stride;
        let bytes = self.block.as_mut().and_then(|(_, bytes)| bytes.get_mut(at..at + stride));
        bytes.ok_or_else(|| nonsense("a block of vectors is too short"))
    }

    fn add(&mut self, note: &Embedded) -> rusqlite::Result<()> {
        let json = serde_json::Value::Object(note.metadata.clone()).to_string();
        for (number, (text, vector)) in note.parts.iter().enumerate() {
            let (slot, row) = (self.size, self.row(self.size));
            let insert = "INSERT INTO part (slot, space, note, number, text, metadata) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let part = params![row, self.number, note.id, number as i64, text, json];
            self.database.prepare_cached(insert)?.execute(part)?;
            facts::add(self.database, self.number, slot, &note.metadata)?;
            let insert = "INSERT INTO exact (slot, vector) VALUES (?1, ?2)";
            self.database.prepare_cached(insert)?.execute(params![row, matrix::bytes(vector)])?;
            let bytes = matrix::quantised(vector);
            let kept = self.quantised(slot)?;
            for (kept, byte) in kept.iter_mut().zip(bytes) {
                *kept = byte;
            }
            self.size += 1;
        }
        Ok(())
    }

    /// Removes a slot, and puts the last one there.
    fn remove(&mut self, slot: i64) -> rusqlite::Result<()> {
        let database = self.database;
        let metadata_of = |row: i64| -> rusqlite::Result<_> {
            let mut select = database.prepare_cached("SELECT metadata FROM part WHERE slot = ?1")?;
            metadata(&select.query_row([row], |row| row.get::<_, String>(0))?)
        };
        let last = self.size - 1;
        let (row, last_row) = (self.row(slot), self.row(last));
        facts::remove(database, self.number, slot, &metadata_of(row)?)?;
        for table in ["part", "exact"] {
            database.prepare_cached(&format!("DELETE FROM {table} WHERE slot = ?1"))?.execute([row])?;
        }
        if slot != last {
            let moved = metadata_of(last_row)?;
            facts::remove(database, self.number, last, &moved)?;
            facts::add(database, self.number, slot, &moved)?;
            for table in ["part", "exact"] {
                let update = format!("UPDATE {table} SET slot = ?1 WHERE slot = ?2");
                database.prepare_cached(&update)?.execute([row, last_row])?;
            }
            let bytes = self.quantised(last)?.to_vec();
            self.quantised(slot)?.copy_from_slice(&bytes);
        }
        self.size = last;
        if last % self.in_block() == 0 {
            let block = last / self.in_block();
            self.block = self.block.take().filter(|(open, _)| *open != block);
            let row = self.row(block);
            database.prepare_cached("DELETE FROM quantised WHERE block = ?1")?.execute([row])?;
        }
        Ok(())
    }

    /// Removes a note, and answers it whole.
    fn take(&mut self, id: &str) -> rusqlite::Result<Option<Note>> {
        let Some(note) = self.note(id)? else { return Ok(None) };
        let select = "SELECT slot & 4294967295 FROM part WHERE space = ?1 AND note = ?2 ORDER BY number LIMIT 1";
        let mut select = self.database.prepare_cached(select)?;
        // A removal moves others: they are looked up one by one.
        while let Some(slot) = select.query_row(params![self.number, id], |row| row.get(0)).optional()? {
            self.remove(slot)?;
        }
        Ok(Some(note))
    }

    /// A note, whole.
    fn note(&self, id: &str) -> rusqlite::Result<Option<Note>> {
        let select = "SELECT text, metadata FROM part WHERE space = ?1 AND note = ?2 ORDER BY number";
        let mut select = self.database.prepare_cached(select)?;
        let mut rows = select.query(params![self.number, id])?;
        let mut note: Option<Note> = None;
        while let Some(row) = rows.next()? {
            match &mut note {
                Some(note) => note.text.push_str(row.get_ref(0)?.as_str()?),
                None => {
                    let metadata = metadata(row.get_ref(1)?.as_str()?)?;
                    note = Some(Note { id: id.to_owned(), text: row.get(0)?, metadata });
                }
            }
        }
        Ok(note)
    }

    /// The number of parts of a note.
    fn parts(&self, id: &str) -> rusqlite::Result<usize> {
        let select = "SELECT count(*) FROM part WHERE space = ?1 AND note = ?2";
        let count =
            self.database.prepare_cached(select)?.query_row(params![self.number, id], |row| row.get::<_, i64>(0));
        Ok(count? as usize)
    }

    /// The note that an id means: its own, or that of one of its parts.
    fn meant<'b>(&self, id: &'b str) -> rusqlite::Result<Option<&'b str>> {
        if self.parts(id)? > 0 {
            return Ok(Some(id));
        }
        let Some((note, number)) = note_of(id) else { return Ok(None) };
        let parts = self.parts(note)?;
        Ok((parts > 1 && number < parts).then_some(note))
    }

    /// Ends a change.
    fn close(mut self) -> rusqlite::Result<()> {
        self.flush()?;
        let update = "UPDATE space SET size = ?2 WHERE number = ?1";
        self.database.prepare_cached(update)?.execute([self.number, self.size])?;
        Ok(())
    }

    /// The slots that a filter takes.
    fn taken(&self, filter: &Filter) -> rusqlite::Result<Taken> {
        if *filter == Filter::All {
            return Ok(Taken { all: true, slots: Vec::new(), count: self.size as usize });
        }
        let statement = facts::Statement::of(self.number, filter);
        let mut select = self.database.prepare(&statement.text)?;
        let mut rows = select.query(params_from_iter(statement.parameters))?;
        let mut taken = Taken { all: false, slots: vec![false; self.size as usize], count: 0 };
        while let Some(row) = rows.next()? {
            // A list may say the same twice.
            if let Some(slot) = taken.slots.get_mut(row.get::<_, i64>(0)? as usize)
                && !std::mem::replace(slot, true)
            {
                taken.count += 1;
            }
        }
        Ok(taken)
    }

    fn nearest(&self, vector: &[f32], filter: &Filter, most: usize, search: Search) -> rusqlite::Result<Vec<Hit>> {
        let taken = self.taken(filter)?;
        let most = most.min(taken.count);
        if most == 0 {
            return Ok(Vec::new());
        }
        let near = if taken.count < self.size as usize / RARE {
            let slots = taken.slots.iter().enumerate().filter(|(_, taken)| **taken);
            self.among(vector, slots.map(|(slot, _)| (slot as i64, f32::INFINITY)), most)?
        } else if search == Search::Quantised {
            let mut nearest = Nearest::new(most.saturating_mul(AGAIN));
            self.roughly(vector, &taken, |slot, about| nearest.show(slot, about.product))?;
            let slots = nearest.in_order().into_iter().map(|near| (near.slot, f32::INFINITY));
            self.among(vector, slots, most)?
        } else {
            self.exactly(vector, &taken, most)?
        };
        let mut hits = near.into_iter().map(|near| self.hit(near)).collect::<rusqlite::Result<Vec<_>>>()?;
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.note.id.cmp(&b.note.id)));
        Ok(hits)
    }

    /// Those of bytes say how near a vector is at least and at most: what may be among the nearest is compared.
    fn exactly(&self, vector: &[f32], taken: &Taken, most: usize) -> rusqlite::Result<Vec<Near>> {
        let (mut least, mut all) = (Nearest::new(most), Vec::with_capacity(taken.count));
        self.roughly(vector, taken, |slot, about| {
            least.show(slot, about.product - about.within);
            all.push(Near { score: about.product + about.within, slot });
        })?;
        all.retain(|near| near.score >= least.worst());
        all.sort_unstable_by(|one, other| other.cmp(one));
        self.among(vector, all.into_iter().map(|near| (near.slot, near.score)), most)
    }

    /// By comparing some, of which each is at most so near; where that falls, no further than it has to.
    fn among(
        &self,
        vector: &[f32],
        slots: impl IntoIterator<Item = (i64, f32)>,
        most: usize,
    ) -> rusqlite::Result<Vec<Near>> {
        let mut select = self.database.prepare_cached("SELECT vector FROM exact WHERE slot = ?1")?;
        let mut nearest = Nearest::new(most);
        for (slot, at_most) in slots {
            if at_most < nearest.worst() {
                break;
            }
            let mut rows = select.query([self.row(slot)])?;
            let row = rows.next()?.ok_or_else(|| nonsense("a vector is missing"))?;
            nearest.show(slot, self.product(vector, row.get_ref(0)?.as_blob()?)?);
        }
        Ok(nearest.in_order())
    }

    fn product(&self, vector: &[f32], kept: &[u8]) -> rusqlite::Result<f32> {
        match kept.len() == 4 * self.dimensions {
            true => Ok(matrix::product(vector, kept)),
            false => Err(nonsense("a vector has another length than those beside it")),
        }
    }

    /// Compares those of bytes.
    fn roughly(&self, vector: &[f32], taken: &Taken, mut each: impl FnMut(i64, About)) -> rusqlite::Result<()> {
        let vector = Query::of(vector);
        let (in_block, stride) = (self.in_block(), matrix::stride(self.dimensions));
        let mut select = self.database.prepare_cached("SELECT vectors FROM quantised WHERE block BETWEEN ?1 AND ?2")?;
        let mut rows = select.query([self.row(0), self.row((self.size - 1) / in_block)])?;
        let mut first = 0;
        while let Some(row) = rows.next()? {
            let block = row.get_ref(0)?.as_blob()?;
            if block.len() != stride * in_block as usize {
                return Err(nonsense("a block of vectors has another length than those beside it"));
            }
            for (kept, slot) in block.chunks_exact(stride).zip(first..self.size) {
                if taken.has(slot) {
                    each(slot, vector.about(kept));
                }
            }
            first += in_block;
        }
        Ok(())
    }

    fn hit(&self, near: matrix::Near) -> rusqlite::Result<Hit> {
        let select = "SELECT note, number, text, metadata FROM part WHERE slot = ?1";
        let mut select = self.database.prepare_cached(select)?;
        let mut rows = select.query([self.row(near.slot)])?;
        let row = rows.next()?.ok_or_else(|| nonsense("a part is missing"))?;
        let (note, number): (String, i64) = (row.get(0)?, row.get(1)?);
        let id = part_id(&note, number as usize, self.parts(&note)?);
        let note = Note { id, text: row.get(2)?, metadata: metadata(row.get_ref(3)?.as_str()?)? };
        Ok(Hit { note, score: near.score })
    }
}

/// Slots that a filter takes.
struct Taken {
    all: bool,
    slots: Vec<bool>,
    count: usize,
}

impl Taken {
    fn has(&self, slot: i64) -> bool {
        self.all || self.slots.get(slot as usize).copied().unwrap_or(false)
    }
}

impl Vectors for File {
    fn spaces(&self) -> Later<'_, Vec<Space>> {
        self.read(Vec::new(), |database| {
            let select = "SELECT place, collection, embedder, dimensions FROM space ORDER BY 1, 2, 3, 4";
            let mut select = database.prepare_cached(select)?;
            let spaces = select.query_map([], |row| {
                let place = Place::parse(&row.get::<_, String>(0)?).ok_or_else(|| nonsense("a place"))?;
                let dimensions = row.get::<_, i64>(3)? as usize;
                Ok(Space { place, collection: row.get(1)?, embedder: row.get(2)?, dimensions })
            })?;
            spaces.collect()
        })
    }

    fn size<'a>(&'a self, space: &'a Space) -> Later<'a, u64> {
        let space = space.clone();
        self.read(0, move |database| Ok(Open::find(database, &space)?.map_or(0, |open| open.size as u64)))
    }

    fn put<'a>(&'a self, space: &'a Space, notes: Vec<Embedded>) -> Later<'a, ()> {
        let space = space.clone();
        self.write(move |database| {
            let mut open = Open::make(database, &space)?;
            for note in &notes {
                open.take(&note.id)?;
                open.add(note)?;
            }
            open.close()
        })
    }

    fn nearest<'a>(
        &'a self,
        space: &'a Space,
        vector: &'a [f32],
        filter: &'a Filter,
        most: usize,
        search: Search,
    ) -> Later<'a, Vec<Hit>> {
        let (space, vector, filter) = (space.clone(), vector.to_vec(), filter.clone());
        self.read(Vec::new(), move |database| match Open::find(database, &space)? {
            Some(open) => open.nearest(&vector, &filter, most, search),
            None => Ok(Vec::new()),
        })
    }

    fn take<'a>(&'a self, space: &'a Space, ids: &'a [String]) -> Later<'a, Vec<Note>> {
        let (space, ids) = (space.clone(), ids.to_vec());
        if !self.is_there() {
            return Box::pin(async { Ok(Vec::new()) });
        }
        self.write(move |database| {
            let Some(mut open) = Open::find(database, &space)? else { return Ok(Vec::new()) };
            let mut notes = Vec::new();
            for id in &ids {
                if let Some(id) = open.meant(id)? {
                    notes.extend(open.take(id)?);
                }
            }
            open.close()?;
            Ok(notes)
        })
    }

    fn get<'a>(&'a self, space: &'a Space, id: &'a str) -> Later<'a, Option<Note>> {
        let (space, id) = (space.clone(), id.to_owned());
        self.read(None, move |database| {
            let Some(open) = Open::find(database, &space)? else { return Ok(None) };
            open.meant(&id)?.map_or(Ok(None), |id| open.note(id))
        })
    }

    fn notes<'a>(&'a self, space: &'a Space, after: &'a str, most: usize) -> Later<'a, Vec<Note>> {
        let (space, after) = (space.clone(), after.to_owned());
        self.read(Vec::new(), move |database| {
            let Some(open) = Open::find(database, &space)? else { return Ok(Vec::new()) };
            let select = "SELECT note FROM part WHERE space = ?1 AND note > ?2 AND number = 0 ORDER BY note LIMIT ?3";
            let mut select = database.prepare_cached(select)?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let ids = select.query_map(params![open.number, after, most], |row| row.get::<_, String>(0))?;
            let mut notes = Vec::new();
            for id in ids {
                notes.extend(open.note(&id?)?);
            }
            Ok(notes)
        })
    }

    fn clear<'a>(&'a self, space: &'a Space) -> Later<'a, ()> {
        let space = space.clone();
        if !self.is_there() {
            return Box::pin(async { Ok(()) });
        }
        self.write(move |database| {
            let Some(open) = Open::find(database, &space)? else { return Ok(()) };
            let ends = params![open.row(0), open.row(u32::MAX.into())];
            for (table, key) in [("part", "slot"), ("exact", "slot"), ("quantised", "block")] {
                database.execute(&format!("DELETE FROM {table} WHERE {key} BETWEEN ?1 AND ?2"), ends)?;
            }
            database.execute("DELETE FROM fact WHERE space = ?1", [open.number])?;
            database.execute("DELETE FROM space WHERE number = ?1", [open.number])?;
            Ok(())
        })
    }
}
