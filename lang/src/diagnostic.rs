//! Diagnostics: what is wrong, where, why, and what to do. The one type for every message of the compiler, with the one
//! table of codes. How they look is `render`'s.

use crate::span::Span;
use serde::Serialize;
use std::fmt;

/// A person reads no more errors of one file than this.
pub const MOST_ERRORS: usize = 100;

/// So many are collected before those that stand first in the file are chosen.
pub(crate) const MOST_FOUND: usize = 10 * MOST_ERRORS;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The program does not run.
    Error,
    /// It runs, and looks wrong.
    Warning,
    /// It runs, and could say more.
    Hint,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident $code:literal $severity:ident $title:literal)*) => {
        /// A stable code. Numbers are never reused; `docs/errors/CODE.md` explains each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum Code { $($(#[doc = $doc])* $variant),* }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// `E0104`.
            pub fn text(self) -> &'static str {
                match self { $(Code::$variant => $code),* }
            }

            /// The first line of its page.
            pub fn title(self) -> &'static str {
                match self { $(Code::$variant => $title),* }
            }

            /// Error, warning or hint.
            pub fn severity(self) -> Severity {
                match self { $(Code::$variant => Severity::$severity),* }
            }
        }
    };
}

codes! {
    // E01: syntax.
    TooLong "E0101" Error "the source is too long"
    NotUtf8 "E0102" Error "the source is not UTF-8"
    BadCharacter "E0103" Error "a character that the language does not have"
    BadWord "E0104" Error "not a word"
    BadQuantity "E0105" Error "not a quantity"
    ForeignHabit "E0106" Error "a habit from another language"
    FrontMatterOpen "E0107" Error "the front matter is not closed"
    Unclosed "E0108" Error "a bracket is not closed"
    Unopened "E0109" Error "a bracket closes nothing"
    TooDeep "E0110" Error "nested too deeply"
    Expected "E0111" Error "something else was expected here"
    EmptyStage "E0112" Error "a stage is empty"
    NoOutcome "E0113" Error "a step without outcomes"
    NotAnEnd "E0114" Error "not an end of a match arm"
    Reserved "E0115" Error "a word of the language used as a name"
    CountRange "E0116" Error "a count out of range"
    NoProgram "E0117" Error "the program is missing"
    AfterProgram "E0118" Error "something stands after the program"
    Misspelt "E0119" Error "a misspelt word of the language"
    TooManyOutcomes "E0120" Error "too many outcomes"
    // E02: names.
    UnknownWorker "E0201" Error "nothing has this name"
    UnknownLabel "E0202" Error "no stage has this label"
    UnknownStep "E0203" Error "the stage has no such step"
    DuplicateLabel "E0204" Error "a label is used twice"
    DuplicateDefinition "E0205" Error "a definition is given twice"
    Recursion "E0206" Error "a definition reaches itself"
    UnknownBehaviour "E0207" Error "no behaviour has this name"
    PrivateLabel "E0208" Error "a label of another definition"
    BrokenFile "E0209" Error "the pipeline in another file has errors"
    UnusableFile "E0210" Error "a file cannot be used"
    Ambiguous "E0211" Error "a name means two things"
    NotAName "E0212" Error "this cannot be a name"
    // E03: shape.
    BackInJoin "E0301" Error "`back` in a join"
    JumpOutOfJoin "E0302" Error "a jump out of a branch of a join"
    JumpIntoJoin "E0303" Error "a jump into a branch of a join"
    OutNotLast "E0304" Error "`out <=` before the last element of a switch"
    ChainNeedsLabel "E0305" Error "a chain in a select needs a label"
    LimitTwice "E0306" Error "two limits of one sort"
    JoinCount "E0307" Error "a join takes more outputs than it has elements"
    DeepSibling "E0308" Error "a reference into another branch of a join"
    SiblingCycle "E0309" Error "elements of a join wait for each other"
    FanOutOfSeveral "E0310" Error "a fan-out over several references"
    TooLarge "E0311" Error "the program is too large"
    CallsTooDeep "E0312" Error "calls nested too deeply"
    NoUndoer "E0313" Error "a compensable step that nothing undoes"
    // E04: front matter and definitions.
    FrontMatter "E0401" Error "the front matter is not valid"
    WorkerDefinition "E0402" Error "a worker's definition is not valid"
    NoSuchStage "E0403" Error "settings for a stage that is not there"
    // E05: warnings.
    Unreachable "E0501" Warning "this can never run"
    DeadOutcome "E0502" Warning "an outcome or arm that can never be taken"
    NoWayOut "E0503" Warning "a step that cannot be left"
    IdleLimit "E0504" Warning "a limit that nothing can use up"
    HiddenArm "E0505" Warning "an arm hidden by an earlier one"
    FallsThrough "E0506" Warning "a match that a value can fall through"
    NeverHasRun "E0507" Warning "a reference to what can never have run"
    MediaType "E0508" Warning "media types that do not fit"
    WordTwice "E0509" Warning "a word stands twice in a labelled stage"
    Unused "E0510" Warning "a definition that nothing calls"
    DeafToMock "E0511" Warning "a mock says a word that no step hears"
    RetryOrContinue "E0512" Warning "a failed step cannot be retried and then done without"
    IdleUndo "E0513" Warning "an undoer or probe of a worker that changes nothing"
    NoEffect "E0514" Hint "a command that does not say what it does to the world"
    // E09: what nobody should be able to read.
    WrittenDown "E0964" Error "a credential is written down"
    // E10: files of other formats. E1001 to E1019: of all, and workflow.toml; E1020 to E1039: YAML; E1040 to E1059: aiTWS.
    NoToml "E1001" Error "the file is no TOML"
    Workflow "E1002" Error "a key or value of a workflow is not valid"
    UnknownNeed "E1003" Error "a step needs one that is not there"
    NeedCycle "E1004" Error "steps need each other"
    StepDoesNothing "E1005" Error "a step does nothing, or two things"
    StepTwice "E1006" Error "two steps have one name"
    OnlyRecorded "E1007" Hint "what is recorded, and nothing is held to"
    FromACopy "E1008" Error "an artifact comes from a step that leaves no files"
    NoYaml "E1020" Error "the file is no YAML"
    Saga "E1021" Error "a key or value of a saga is not valid"
    Unbound "E1022" Warning "a capability that nothing is bound to"
    Denied "E1023" Warning "a step that the policy denies"
    Misfit "E1024" Error "a file that cannot be laid over another"
    UnknownPipeline "E1025" Error "a pipeline that is not there"
    RoleMissing "E1026" Error "who runs it has not the role"
    WebHook "E1027" Error "a web hook that cannot stand in a program"
    AbsolutePath "E1028" Hint "a path that is refused where the workspace is elsewhere"
    Aitws "E1040" Error "a key or value of an aiTWS file is not valid"
    Dangling "E1041" Warning "a name that nothing in the file has"
    UnboundAction "E1042" Warning "an action that nothing is bound to"
    Unfired "E1044" Warning "an event that nothing fires"
    Placeless "E1045" Warning "nothing says where this runs"
    WrittenCredential "E1046" Warning "a password is written in the file"
    StrictDangling "E1047" Error "a strict file means what is not there"
    NameTwice "E1048" Error "two of one sort have one name"
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

/// A place with a word about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    #[serde(flatten)]
    pub span: Span,
    /// What is there.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// A change that mends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does: `did you mean `next`?`.
    pub title: String,
    /// Each span is replaced by its text.
    pub edits: Vec<(Span, String)>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Its code.
    pub code: Code,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where.
    pub primary: Label,
    /// What else belongs to it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// Why it is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<Fix>,
    /// The same message of a file that is read beside this one, where it is about that; what stands here is for whoever shows one
    /// file alone.
    #[serde(skip)]
    pub beside: Option<Box<Beside>>,
}

/// A message about a file that is read beside the one that is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The file.
    pub name: String,
    /// What it says.
    pub text: String,
    /// The message, with places in that text.
    pub told: Diagnostic,
}

impl Diagnostic {
    /// A message about a place.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        let primary = Label { span, text: String::new() };
        let labels = Vec::new();
        Diagnostic { code, message: message.into(), primary, labels, reason: None, help: None, fix: None, beside: None }
    }

    /// Says something at the place itself.
    pub fn here(mut self, text: impl Into<String>) -> Diagnostic {
        self.primary.text = text.into();
        self
    }

    /// Adds another place.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says why.
    pub fn reason(mut self, text: impl Into<String>) -> Diagnostic {
        self.reason = Some(text.into());
        self
    }

    /// Says what to do.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help = Some(text.into());
        self
    }

    /// Offers a change.
    pub fn fix(mut self, title: impl Into<String>, edits: Vec<(Span, String)>) -> Diagnostic {
        self.fix = Some(Fix { title: title.into(), edits });
        self
    }

    /// Error, warning or hint.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}
