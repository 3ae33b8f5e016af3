//! The instruction table: declared once, here. Enum, encoder, decoder, assembler names, operand kinds and `docs/isa.md`
//! all come from the one `isa!` block below. What an instruction *does* is written beside it; the machine obeys.
//!
//! A word is 64 bits: `op:8 flags:8 a:16 b:16 c:16`, from the high end. A code address is 32 bits, in `b` (high) and `c` (low).
//! Numbers are explicit and never reused; [`FORMAT`] changes when a row changes.

use crate::module::{CounterId, EdgeKind, KindSet, RegisterId, StageId, StepId, WordId};

/// The version of module format and instruction table that this build writes and reads.
pub const FORMAT: u16 = 1;

/// What an operand means: how the assembler spells it and what the verifier holds it against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperandKind {
    /// Index into the module's stages.
    Stage,
    /// Index into the module's steps.
    Step,
    /// Index into the counters of the function around.
    Counter,
    /// As `Counter`, or none.
    OptionalCounter,
    /// Index into the registers of the function around.
    Register,
    /// Index into the module's words.
    Word,
    /// A plain number.
    Number,
    /// A code address.
    Target,
    /// A distance forward from this word, in words; 0 where the edge has no code of its own.
    Offset,
    /// An [`EdgeKind`].
    Edge,
    /// A [`KindSet`].
    Kinds,
    /// 0 or 1.
    Flag,
}

/// What stands for no counter.
pub const NO_COUNTER: u32 = u16::MAX as u32;

/// Where in the word an operand sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Bits 48 to 55.
    Flags,
    /// Bits 32 to 47.
    A,
    /// Bits 16 to 31.
    B,
    /// Bits 0 to 15.
    C,
    /// `b` and `c` as one number: bits 0 to 31.
    Bc,
}

impl Slot {
    /// Lowest bit and width.
    pub fn bits(self) -> (u32, u32) {
        match self {
            Slot::Flags => (48, 8),
            Slot::A => (32, 16),
            Slot::B => (16, 16),
            Slot::C => (0, 16),
            Slot::Bc => (0, 32),
        }
    }

    /// What stands there in a word.
    pub fn of(self, word: u64) -> u32 {
        (word >> self.bits().0) as u32 & self.max()
    }

    /// The largest value that fits.
    pub fn max(self) -> u32 {
        u32::MAX >> (32 - self.bits().1)
    }

    /// The word with a value there, where zero is now; only what fits of it.
    pub fn put(self, word: u64, value: u32) -> u64 {
        word | u64::from(value & self.max()) << self.bits().0
    }
}

/// An operand's type, as the number that stands in the word.
trait Operand: Sized {
    fn number(self) -> u32;
    fn from_number(number: u32) -> Option<Self>;
}

macro_rules! plain_operands {
    ($($name:ident($inner:ty)),* $(,)?) => {$(
        impl Operand for $name {
            fn number(self) -> u32 { self.0.into() }
            fn from_number(number: u32) -> Option<Self> { Some($name(number as $inner)) }
        }
    )*};
}
plain_operands!(StageId(u16), StepId(u16), CounterId(u16), RegisterId(u16), WordId(u16), KindSet(u8));

impl Operand for u16 {
    fn number(self) -> u32 {
        self.into()
    }
    fn from_number(number: u32) -> Option<Self> {
        Some(number as u16)
    }
}

impl Operand for u32 {
    fn number(self) -> u32 {
        self
    }
    fn from_number(number: u32) -> Option<Self> {
        Some(number)
    }
}

impl Operand for bool {
    fn number(self) -> u32 {
        self.into()
    }
    fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Operand for Option<CounterId> {
    fn number(self) -> u32 {
        self.map_or(NO_COUNTER, |counter| counter.0.into())
    }
    fn from_number(number: u32) -> Option<Self> {
        Some((number != NO_COUNTER).then_some(CounterId(number as u16)))
    }
}

impl Operand for EdgeKind {
    fn number(self) -> u32 {
        self as u32
    }
    fn from_number(number: u32) -> Option<Self> {
        EdgeKind::from_number(number as u8)
    }
}

/// One row of the table, for the manual page, the assembler and the verifier.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// The number in the word's top byte.
    pub number: u8,
    /// The assembler's name.
    pub name: &'static str,
    /// Name, kind and field of each operand, in the order in which they are spelt.
    pub operands: &'static [(&'static str, OperandKind, Slot)],
    /// What it does.
    pub doc: &'static [&'static str],
}

macro_rules! slot {
    (flags) => {
        Slot::Flags
    };
    (a) => {
        Slot::A
    };
    (b) => {
        Slot::B
    };
    (c) => {
        Slot::C
    };
    (bc) => {
        Slot::Bc
    };
}

macro_rules! isa {
    ($($(#[doc = $doc:literal])* $number:literal $name:literal $variant:ident { $($field:ident: $ty:ty = $slot:ident $kind:ident),* $(,)? })*) => {
        /// One decoded instruction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub enum Instruction {
            $($(#[doc = $doc])* $variant { $($field: $ty),* }),*
        }

        impl Instruction {
            /// The 64-bit word.
            pub fn encode(self) -> u64 {
                match self {
                    $(Instruction::$variant { $($field),* } => {
                        let word: u64 = $number << 56;
                        $(let word = slot!($slot).put(word, $field.number());)*
                        word
                    })*
                }
            }

            /// The instruction of a word; `None` when the opcode is unknown, an operand has no meaning, or a field that
            /// the instruction does not use is not zero (so that each instruction has exactly one word).
            #[inline]
            pub fn decode(word: u64) -> Option<Instruction> {
                let instruction = match (word >> 56) as u8 {
                    $($number => Instruction::$variant { $($field: Operand::from_number(slot!($slot).of(word))?),* },)*
                    _ => return None,
                };
                (instruction.encode() == word).then_some(instruction)
            }

            /// The number in its word's top byte.
            pub fn number(self) -> u8 {
                match self { $(Instruction::$variant { .. } => $number),* }
            }
        }

        /// Every instruction, in order of its number.
        pub const TABLE: &[OpInfo] = &[
            $(OpInfo {
                number: $number,
                name: $name,
                operands: &[$((stringify!($field), OperandKind::$kind, slot!($slot))),*],
                doc: &[$($doc),*],
            }),*
        ];
    };
}

/// The row of an opcode.
pub fn row(number: u8) -> Option<&'static OpInfo> {
    // Rows are in order of their numbers, and there are no gaps yet.
    TABLE
        .get(usize::from(number).wrapping_sub(1))
        .filter(|row| row.number == number)
        .or_else(|| TABLE.iter().find(|row| row.number == number))
}

/// The operands of a word, in the order of its row; none when the opcode is unknown.
pub fn operands(word: u64) -> impl Iterator<Item = (OperandKind, u32)> {
    let row = row((word >> 56) as u8).map_or(&[][..], |row| row.operands);
    row.iter().map(move |(_, kind, slot)| (*kind, slot.of(word)))
}

isa! {
    /// Enters a stage: pushes its scope (deadline and budgets start now), sets the counters inside it to zero and,
    /// where the stage has an input register, keeps what flows there.
    0x01 "enter" Enter { stage: StageId = a Stage }
    /// Leaves the innermost stage, which must be this one. Its undoers pass to the scope around. Unless `jump`,
    /// what flows is kept in the stage's output register, if it has one.
    0x02 "leave" Leave { stage: StageId = a Stage, jump: bool = flags Flag }
    /// Counts one entry or visit of what stands next. When the count is spent, the innermost stage ends `exhausted`.
    0x03 "count" Count { counter: CounterId = a Counter }
    /// Goes on at `target`.
    0x04 "jump" Jump { target: u32 = bc Target }
    /// Calls the step's worker with what flows (an error left by `gather` or `wait` counts as a failed call), then takes
    /// one of the `edge`s that follow directly, at least one, by the rules of outcomes.
    0x05 "call" Call { step: StepId = a Step }
    /// Fan-out: runs the code at `item` once for each part of what flows, concurrently, as `join` runs branches, each
    /// with its part; what flows then is all that they handed in, in input order. One lost item loses the step. Then takes
    /// one of the `edge`s that follow.
    0x06 "map" Map { step: StepId = a Step, item: u32 = bc Target }
    /// Takes the first of the `edge`s that follow which can be taken: the ends of a match arm.
    0x07 "pick" Pick {}
    /// One outcome of the `call`, `map` or `pick` above, in order of preference. `counter` is that of the stage or step it
    /// leads to, counted when the edge is taken; spent, the edge cannot be taken. Of a `retry`, `offset` is the number of
    /// times; `cancel` and `timeout` have no code, 0; a `back` to above the first element has 0 too and cannot be taken. Others go
    /// on `offset` words further down.
    0x08 "edge" Edge { kind: EdgeKind = flags Edge, word: WordId = a Word, counter: Option<CounterId> = b OptionalCounter, offset: u16 = c Offset }
    /// Adds what a register holds to the inputs being gathered, unless nothing has been kept there yet.
    0x09 "ref" Ref { register: RegisterId = a Register }
    /// Ends the gathering for a step. Nothing gathered: the next call fails. `parts`: what flows becomes the parts
    /// gathered, in order, else it becomes the one value gathered.
    0x0A "gather" Gather { step: StepId = a Step, parts: bool = flags Flag }
    /// In a branch of the `join` stage: waits until its element has handed in or is lost; lost: the next call fails.
    0x0B "wait" Wait { stage: StageId = a Stage, element: u16 = b Number }
    /// Starts the `branch`es that follow directly, at least one, each with what flows, and goes on behind them when
    /// `take` have handed in (0: all), the others are cancelled, undone and ended. `take` = 1: what flows is then the winner with its verdict,
    /// else the parts in written order without verdict. Too few left: the innermost stage ends as the first branch lost.
    0x0C "join" Join { stage: StageId = a Stage, branches: u16 = b Number, take: u16 = c Number }
    /// One branch of the `join` above.
    0x0D "branch" Branch { element: u16 = a Number, target: u32 = bc Target }
    /// Hands in what flows, with its verdict, and ends the branch or item.
    0x0E "hand" Hand {}
    /// A select's next choice among the `option`s that follow directly, at least one, whose counters are not spent. The
    /// choice is counted in `counter` (the select's count of choices) when there is one. Goes on behind the options when
    /// none is left, the choices are spent, a budget is, or the chooser says `finish`. Without a chooser, each option once in order.
    0x0F "choose" Choose { stage: StageId = a Stage, options: u16 = b Number, counter: Option<CounterId> = c OptionalCounter }
    /// One option of the `choose` above, counted when chosen.
    0x10 "option" Option { counter: CounterId = a Counter, target: u32 = bc Target }
    /// Goes to `target` when the verdict on what flows is this word.
    0x11 "if-word" IfWord { word: WordId = a Word, target: u32 = bc Target }
    /// Goes to `target` when this counter has reached its limit: the last entry.
    0x12 "if-last" IfLast { counter: CounterId = a Counter, target: u32 = bc Target }
    /// Goes to `target` when the ending that was caught is one of these kinds.
    0x13 "if-kind" IfKind { kinds: KindSet = flags Kinds, target: u32 = bc Target }
    /// No arm of this `match` holds: the stage ends by the ending that was caught, else by a failure that names the words.
    0x14 "fail" Fail { stage: StageId = a Stage }
    /// Ends the function; what flows, with its verdict, is its result.
    0x15 "return" Return {}
}

#[cfg(test)]
mod manual;
