//! Every limit of the system in one place, so that each is tested on both sides and stated once.

/// The longest source text, in bytes.
pub const SOURCE: usize = 4 << 20;
/// The longest word of a program, and the longest path of words, in bytes: names and step keys are made of them.
pub const WORD: usize = 1_024;
/// The deepest nesting of brackets.
pub const NESTING: usize = 64;
/// The deepest nesting of calls: definitions that call definitions, the program being the first.
pub const CALLS_DEEP: usize = 64;
/// The largest module, in bytes.
pub const MODULE: usize = 4 << 20;
/// The most items of one fan-out that run at once.
pub const IN_FLIGHT: usize = 1_024;
/// The most items of one fan-out.
pub const ITEMS: u32 = 1_000_000;
/// How often an undoer is tried.
pub const UNDO_ATTEMPTS: u32 = 3;
/// The most branches and items of one run that are alive at once.
pub const FIBERS: usize = 65_536;
/// The most attributes of an artifact.
pub const ATTRIBUTES: usize = 64;
/// The longest text field of an artifact, and the longest key or value of an attribute, in bytes.
pub const ARTIFACT_TEXT: usize = 64 << 10;
/// The largest payload, in bytes: what the 29-bit length of a Cap'n Proto list can say.
pub const PAYLOAD: usize = (1 << 29) - 1;
/// The most parts of a *parts* artifact.
pub const PARTS: usize = ITEMS as usize;
