//! Slips that somebody might make where a store and a host keep the contract. The simulator must find each of them. Slips in the
//! run itself are planted as text: `tests/planted/crashes.txt`.

/// A slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    AckBeforeCommit,
    ArtifactNotFlushed,
    NoDirectorySync,
    RenameBeforeFlush,
    DedupeSkipsSync,
    OutcomeBeforeArtifact,
    ChainNotChecked,
    TornTailKept,
    EpochNotChecked,
    EpochRaisedAfterActing,
    EpochNotFlushed,
    GoingOnAfterFailedFlush,
    GoingOnWithFullDisk,
    EffectBeforeIntent,
    LastBatchDropped,
    CheckpointNotKept,
    ClockRunsAhead,
    FencedOwnerGoesOn,
}

impl Bug {
    pub const ALL: [Bug; 18] = [
        Bug::AckBeforeCommit,
        Bug::ArtifactNotFlushed,
        Bug::NoDirectorySync,
        Bug::RenameBeforeFlush,
        Bug::DedupeSkipsSync,
        Bug::OutcomeBeforeArtifact,
        Bug::ChainNotChecked,
        Bug::TornTailKept,
        Bug::EpochNotChecked,
        Bug::EpochRaisedAfterActing,
        Bug::EpochNotFlushed,
        Bug::GoingOnAfterFailedFlush,
        Bug::GoingOnWithFullDisk,
        Bug::EffectBeforeIntent,
        Bug::LastBatchDropped,
        Bug::CheckpointNotKept,
        Bug::ClockRunsAhead,
        Bug::FencedOwnerGoesOn,
    ];
}
