//! What was read lately of a run's journal: who tells the same again puts nothing twice.

use aivm_schema::artifact::Checksum;
use rustc_hash::FxHashSet;

/// The artifacts of the rows that were read lately: of the row whose records are being told, and of the row before.
#[derive(Default)]
pub(super) struct Passed {
    now: FxHashSet<Checksum>,
    before: FxHashSet<Checksum>,
    told: bool,
}

impl Passed {
    pub(super) fn contains(&self, checksum: Checksum) -> bool {
        self.now.contains(&checksum) || self.before.contains(&checksum)
    }

    /// An artifact of the row.
    pub(super) fn insert(&mut self, checksum: Checksum) {
        self.now.insert(checksum);
    }

    pub(super) fn forget(&mut self) {
        if self.told || !self.now.is_empty() {
            *self = Passed::default();
        }
    }

    /// A row: artifacts that were written ahead belong to the records of the next.
    pub(super) fn row(&mut self, records: bool) {
        if std::mem::replace(&mut self.told, records) {
            std::mem::swap(&mut self.now, &mut self.before);
            self.now.clear();
        }
    }
}
