//! The instruction table: declared once, here. Enum, encoder, decoder, assembler names, operand kinds and `docs/isa.md`
//! all come from the one `isa!` block below. What an instruction *does* is written beside it; the machine obeys.
//!
//! A word is 64 bits: `op:8 flags:8 a:16 b:16 c:16`, from the high end. A code address is 32 bits, in `b` (high) and `c` (low).
//! Numbers are explicit and never reused; [`FORMAT`] changes when a row changes.

use crate::module::{CounterId, EdgeKind, FunctionId, KindSet, RegisterId, StageId, StepId, WordId};

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

/// The operand fields of a word before they mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Fields {
    flags: u8,
    a: u16,
    b: u16,
    c: u16,
}

/// How one operand type sits in the fields of a word.
trait Operand: Sized {
    fn put(self, fields: &mut Fields, slot: Slot);
    fn take(fields: &Fields, slot: Slot) -> Option<Self>;
}

/// Where in the word an operand sits.
#[derive(Clone, Copy)]
enum Slot {
    Flags,
    A,
    B,
    C,
    Bc,
}

impl Fields {
    fn get(&self, slot: Slot) -> u32 {
        match slot {
            Slot::Flags => self.flags.into(),
            Slot::A => self.a.into(),
            Slot::B => self.b.into(),
            Slot::C => self.c.into(),
            Slot::Bc => u32::from(self.b) << 16 | u32::from(self.c),
        }
    }

    fn set(&mut self, slot: Slot, value: u32) {
        match slot {
            Slot::Flags => self.flags = value as u8,
            Slot::A => self.a = value as u16,
            Slot::B => self.b = value as u16,
            Slot::C => self.c = value as u16,
            Slot::Bc => (self.b, self.c) = ((value >> 16) as u16, value as u16),
        }
    }
}

macro_rules! plain_operands {
    ($($name:ty: $inner:ty),* $(,)?) => {$(
        impl Operand for $name {
            fn put(self, fields: &mut Fields, slot: Slot) { fields.set(slot, u32::from(self.0)) }
            fn take(fields: &Fields, slot: Slot) -> Option<Self> { Some(Self(fields.get(slot) as $inner)) }
        }
    )*};
}
plain_operands!(StageId: u16, StepId: u16, CounterId: u16, RegisterId: u16, WordId: u16, FunctionId: u16, KindSet: u8);

impl Operand for u16 {
    fn put(self, fields: &mut Fields, slot: Slot) {
        fields.set(slot, self.into());
    }
    fn take(fields: &Fields, slot: Slot) -> Option<Self> {
        Some(fields.get(slot) as u16)
    }
}

impl Operand for u32 {
    fn put(self, fields: &mut Fields, slot: Slot) {
        fields.set(slot, self);
    }
    fn take(fields: &Fields, slot: Slot) -> Option<Self> {
        Some(fields.get(slot))
    }
}

impl Operand for bool {
    fn put(self, fields: &mut Fields, slot: Slot) {
        fields.set(slot, self.into());
    }
    fn take(fields: &Fields, slot: Slot) -> Option<Self> {
        match fields.get(slot) {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Operand for Option<CounterId> {
    fn put(self, fields: &mut Fields, slot: Slot) {
        fields.set(slot, self.map_or(u32::from(u16::MAX), |counter| counter.0.into()));
    }
    fn take(fields: &Fields, slot: Slot) -> Option<Self> {
        let value = fields.get(slot) as u16;
        Some((value != u16::MAX).then_some(CounterId(value)))
    }
}

impl Operand for EdgeKind {
    fn put(self, fields: &mut Fields, slot: Slot) {
        fields.set(slot, self as u32);
    }
    fn take(fields: &Fields, slot: Slot) -> Option<Self> {
        EdgeKind::from_number(fields.get(slot) as u8)
    }
}

/// One row of the table, for the manual page, the assembler and the verifier.
#[derive(Clone, Copy, Debug)]
pub struct OpInfo {
    /// The number in the word's top byte.
    pub number: u8,
    /// The assembler's name.
    pub name: &'static str,
    /// Name, kind and field (`flags`, `a`, `b`, `c`, `bc`) of each operand, in the order in which they are spelt.
    pub operands: &'static [(&'static str, OperandKind, &'static str)],
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
                #[allow(unused_mut)]
                let (number, fields): (u8, Fields) = match self {
                    $(Instruction::$variant { $($field),* } => {
                        let mut fields = Fields::default();
                        $($field.put(&mut fields, slot!($slot));)*
                        ($number, fields)
                    })*
                };
                u64::from(number) << 56 | u64::from(fields.flags) << 48
                    | u64::from(fields.a) << 32 | u64::from(fields.b) << 16 | u64::from(fields.c)
            }

            /// The instruction of a word; `None` when the opcode is unknown, an operand has no meaning, or a field that
            /// the instruction does not use is not zero (so that each instruction has exactly one word).
            #[inline]
            pub fn decode(word: u64) -> Option<Instruction> {
                let fields = Fields { flags: (word >> 48) as u8, a: (word >> 32) as u16, b: (word >> 16) as u16, c: word as u16 };
                let instruction = match (word >> 56) as u8 {
                    $($number => Instruction::$variant { $($field: Operand::take(&fields, slot!($slot))?),* },)*
                    _ => return None,
                };
                (instruction.encode() == word).then_some(instruction)
            }

            /// Its row in [`TABLE`].
            pub fn info(self) -> &'static OpInfo {
                let mut row = 0;
                $(if matches!(self, Instruction::$variant { .. }) { return &TABLE[row]; } row += 1;)*
                let _ = row;
                &TABLE[0]
            }
        }

        /// Every instruction, in order of its number.
        pub const TABLE: &[OpInfo] = &[
            $(OpInfo {
                number: $number,
                name: $name,
                operands: &[$((stringify!($field), OperandKind::$kind, stringify!($slot))),*],
                doc: &[$($doc),*],
            }),*
        ];
    };
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
    /// `take` have handed in, the others are cancelled, undone and ended. `take` = 1: what flows is then the winner with its verdict, else the
    /// parts in written order without verdict. Too few left: the innermost stage ends as the first branch lost.
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
