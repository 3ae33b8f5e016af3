//! What a picture consists of, with every place decided: the layout makes it, [`super::svg`] paints it, the tests measure it.

use crate::flow::{FunctionId, StageId, StepId};
use aivm_schema::module::StageKind;

/// A whole picture; painted in the order of the fields.
#[derive(Debug, Default)]
pub(super) struct Scene {
    pub width: i32,
    pub height: i32,
    pub frames: Vec<Frame>,
    pub lines: Vec<Line>,
    pub nodes: Vec<Node>,
    pub texts: Vec<Text>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rect {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

impl Rect {
    pub fn right(&self) -> i32 {
        self.x + self.w
    }
    pub fn bottom(&self) -> i32 {
        self.y + self.h
    }
}

/// A box around other things.
#[derive(Debug)]
pub(super) struct Frame {
    pub rect: Rect,
    pub role: FrameRole,
    /// Index of the frame around.
    #[cfg_attr(not(test), expect(dead_code, reason = "the laws ask for it"))]
    pub parent: Option<usize>,
    pub state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FrameRole {
    Function(FunctionId),
    Stage(StageId, StageKind),
}

/// How something stands to the path of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// The run did not come here.
    Faded,
    /// No run is drawn.
    #[default]
    Plain,
    /// The run came here.
    Taken,
    /// A step that was cancelled while it was called.
    Cancelled,
    /// A step that failed and ended its stage.
    Failed,
}

/// A polyline; horizontal and vertical pieces only.
#[derive(Debug)]
pub(super) struct Line {
    pub points: Vec<(i32, i32)>,
    pub role: LineRole,
    /// An arrow head at its end.
    pub head: bool,
    /// Where its first piece is open for a text: from x to x.
    pub gap: Option<(i32, i32)>,
    pub state: State,
    /// What it shows.
    #[cfg_attr(not(test), expect(dead_code, reason = "the laws ask for it"))]
    pub of: Vec<Of>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum LineRole {
    /// Onwards.
    Forward,
    /// `back`, `retry`, a jump.
    Loop,
    /// To a stub.
    Stop,
    /// From a step to its undoer.
    Undo,
    /// An ending that a match catches.
    Catch,
    /// From arm to arm.
    Rail,
}

/// What of the flow graph something shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Of {
    /// An outcome, by its place in the step's list.
    Outcome(StepId, u32),
    /// An end of an arm of a match.
    End(StageId, u32, u32),
}

#[derive(Debug)]
pub(super) struct Node {
    pub rect: Rect,
    pub shape: Shape,
    pub state: State,
    /// Does whoever looks at the run stand here?
    pub now: bool,
    pub title: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A step.
    Pill {
        step: StepId,
        calls: bool,
        many: bool,
    },
    /// Who takes a step back.
    Undoer,
    /// A chooser.
    Diamond,
    /// A word of a match.
    Wedge,
    /// Where a join begins or ends.
    Bar,
    /// `in` and `out` of a function.
    Terminal,
    /// How the run ended.
    Ending {
        well: bool,
    },
    /// The end of a stub.
    Cancel,
    Timeout,
    Nowhere,
    /// A limit that was written, or that is a default.
    Bead {
        faint: bool,
    },
    /// How often, in a run.
    Times,
    /// The sign of a kind.
    Glyph(StageKind),
}

#[derive(Debug)]
pub(super) struct Text {
    pub x: i32,
    /// Of its middle.
    pub y: i32,
    pub anchor: Anchor,
    pub style: Style,
    pub state: State,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Whom a step calls.
    Name,
    /// A behaviour.
    Behaviour,
    /// Where an input comes from.
    Source,
    Kind(StageKind),
    /// The label of a stage, the name of a definition.
    Label,
    Bead,
    BeadFaint,
    Times,
    Forward,
    Loop,
    Stop,
    Undo,
    Undoer,
    Wedge,
    Terminal,
    Ending,
    Chooser,
}

impl Style {
    pub fn size_tenths(self) -> u32 {
        match self {
            Style::Name | Style::Undo => 130,
            Style::Label | Style::Terminal | Style::Ending | Style::Wedge => 120,
            Style::Behaviour | Style::Source | Style::Undoer | Style::Chooser | Style::Kind(_) => 110,
            Style::Forward | Style::Loop | Style::Stop => 105,
            Style::Bead | Style::BeadFaint | Style::Times => 100,
        }
    }
    pub fn is_bold(self) -> bool {
        use Style::*;
        matches!(self, Name | Kind(_) | Label | Times | Wedge | Ending | Undo)
    }
}

#[cfg(test)]
impl Text {
    /// What it covers at the most.
    pub fn rect(&self) -> Rect {
        let w = super::measure::width(&self.text, self.style);
        let h = (self.style.size_tenths() as i32 + 9) / 10;
        let x = match self.anchor {
            Anchor::Start => self.x,
            Anchor::Middle => self.x - w / 2,
            Anchor::End => self.x - w,
        };
        Rect { x, y: self.y - h / 2, w, h }
    }
}
