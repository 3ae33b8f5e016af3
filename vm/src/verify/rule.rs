//! The rules that a module keeps, each with its sentence, under the stable code of its family.

use std::fmt;

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $code:literal { $($rule:ident $text:literal)* })*) => {
        /// What a module may not do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Rule {
            $($(#[doc = $text] $rule,)*)*
        }

        impl Rule {
            /// All rules, in order.
            pub const ALL: &[Rule] = &[$($(Rule::$rule),*),*];

            /// The stable code of its family: `E0612`.
            pub fn code(self) -> &'static str {
                match self { $($(Rule::$rule)|* => $code),* }
            }

            /// The sentence.
            pub fn text(self) -> &'static str {
                match self { $($(Rule::$rule => $text),*),* }
            }
        }
    };
}
rules! {
    /// Tables.
    "E0610" {
        NoProgram "a module has at least one function, the program"
        TooManyRows "a table has at most 65,535 rows"
        Division "functions divide code, stages and steps among them, in order and without a gap, and have code"
        Name "a name is 1 to 65,536 letters, digits, `_`, `-`, `.` and `/`"
        SameWord "no word stands in the table twice"
        NoSuchRow "it refers to a row that is not there"
        Order "verdicts stand in ascending order"
        Around "the stage around it stands before it, in the same function"
        Deep "stages are nested at most 64 deep"
        CounterLimit "a counter allows at least 1, and a function has fewer than 65,535"
        CounterRange "the counters of a stage lie inside those of the stage around it, apart from its neighbours'"
        Register "a register is one of its function, and register 0 holds the input and nothing else"
        Registers "a function has register 0, and no more than its stages and steps can name"
        Callee "a call goes to a function further down, so that calls never come back"
        CallsDeep "calls are nested at most 64 deep, the program being the first"
        Handler "a stage with a handler keeps its input, and the handler catches kinds that there are"
        StepStage "the stage of a step is one of its function"
        Chooser "only a select has a chooser"
    }
    /// Words.
    "E0611" {
        Opcode "it is no instruction of this format"
    }
    /// Operands.
    "E0612" {
        Operand "it names something that this function does not have"
        Edge "a retry says how often, `cancel` and `timeout` lead nowhere, every other edge leads down"
        JoinShape "a join has one branch for each element, in order, at least one, and takes at most all"
        SelectShape "a select has one option for each of its names"
        Kinds "it asks for kinds of ending that there are not"
    }
    /// Targets.
    "E0613" {
        Target "it leads to an instruction of the same function, not into a list of edges, branches or options"
        FallsOff "behind it the function ends: what is last jumps, returns, hands in or fails"
    }
    /// Lists.
    "E0614" {
        List "edges, branches and options stand directly under the instruction that they belong to, as many as it says"
        Gather "references are gathered directly above the call that they are for"
    }
    /// Stages.
    "E0615" {
        Enter "a stage is entered in the stage around it; what stands in a join, in its branch"
        Concurrent "a stage is entered in one branch only, so that nobody sets to zero what another counts"
        Leave "the stage that is left is the innermost, and no branch leaves what it began in"
        Merge "two ways lead here from different stages or branches"
        Step "a step runs in its stage; what stands in a join, in its branch"
        Own "it runs in its own stage, of the kind that it belongs to, and outside of the branches"
        Hand "a value is handed in at the end of a branch or item, when every stage entered there was left"
        Return "a function ends outside of every stage"
        Wait "what it waits for is another element of a join around"
        Item "an item of a fan-out calls the step of its `map` and hands in, and nothing else"
    }
    /// Cycles.
    "E0616" {
        Counted "a counter is counted in the stage that it belongs to, or in one inside"
        Endless "it lies on a cycle that no counter ends"
    }
}

/// Where in a module a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The module as a whole.
    Module,
    /// A row of a table.
    Row(&'static str, usize),
    /// A word of the code.
    Word(u32),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Module => f.write_str("the module"),
            Place::Row(table, row) => write!(f, "{table}, row {row}"),
            Place::Word(pc) => write!(f, "word {pc}"),
        }
    }
}

/// Why a module is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {place}: {}", .rule.code(), .rule.text())]
pub struct VerifyError {
    /// Where.
    pub place: Place,
    /// Which rule is broken.
    pub rule: Rule,
}

impl Rule {
    /// Broken at this word.
    pub(super) fn at(self, pc: u32) -> VerifyError {
        VerifyError { place: Place::Word(pc), rule: self }
    }

    /// Broken by this row.
    pub(super) fn in_row(self, table: &'static str, row: usize) -> VerifyError {
        VerifyError { place: Place::Row(table, row), rule: self }
    }
}
