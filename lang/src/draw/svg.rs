//! A picture as SVG: shapes, colours, fonts. No script, nothing from outside; it looks the same on every page, since it brings
//! its own background.

use super::Theme;
use super::layout::WEDGE_TIP;
use super::scene::*;
use aivm_schema::module::StageKind;
use std::fmt::Write;

pub(super) fn write(scene: &Scene, title: &str, theme: Theme) -> String {
    let mut out = String::with_capacity(4096 + 220 * (scene.lines.len() + scene.nodes.len() + scene.texts.len()));
    let Scene { width, height, .. } = scene;
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">"#
    );
    let _ = write!(out, "<title>{title}</title>\n<style>\n");
    style(theme, &mut out);
    ends(scene, theme, &mut out);
    out.push_str("</style>\n");
    let _ = writeln!(out, r#"<rect class="page" width="{width}" height="{height}" rx="14"/>"#);
    for item in &scene.frames {
        frame(item, &mut out);
    }
    // What was taken lies over what was not.
    let mut lines: Vec<&Line> = scene.lines.iter().collect();
    lines.sort_by_key(|line| (line.state, line.role != LineRole::Rail));
    for item in lines {
        line(item, &mut out);
    }
    for item in &scene.nodes {
        node(item, &mut out);
    }
    for item in &scene.texts {
        text(item, &mut out);
    }
    out.push_str("</svg>\n");
    out
}

struct Colours {
    page: &'static str,
    panel: &'static str,
    panel_line: &'static str,
    paper: &'static str,
    ink: &'static str,
    soft: &'static str,
    line: &'static str,
    pill: &'static str,
    pill_line: &'static str,
    rail: &'static str,
    switch: &'static str,
    select: &'static str,
    join: &'static str,
    matches: &'static str,
    loops: &'static str,
    stop: &'static str,
    stop_fill: &'static str,
    undo: &'static str,
    undo_fill: &'static str,
    taken: &'static str,
    taken_fill: &'static str,
    well: &'static str,
    header: &'static str,
}

const LIGHT: Colours = Colours {
    page: "#f8f8f6",
    panel: "#f0f1ef",
    panel_line: "#d5d8d6",
    paper: "#ffffff",
    ink: "#1d2730",
    soft: "#66727d",
    line: "#47535e",
    pill: "#f4f6f8",
    pill_line: "#9aa6b1",
    rail: "#c9cfd4",
    switch: "#3d6c9e",
    select: "#7b52ab",
    join: "#2f8059",
    matches: "#a86b12",
    loops: "#b0407a",
    stop: "#c2493a",
    stop_fill: "#fbe9e6",
    undo: "#0c7f89",
    undo_fill: "#eef8f8",
    taken: "#0b5bd3",
    taken_fill: "#e4eefc",
    well: "#1f7a4d",
    header: ".09",
};

const DARK: Colours = Colours {
    page: "#14181d",
    panel: "#1a1f26",
    panel_line: "#323a44",
    paper: "#1c2229",
    ink: "#e8ecf0",
    soft: "#97a3af",
    line: "#aab5c0",
    pill: "#262e37",
    pill_line: "#5a6773",
    rail: "#3f4a55",
    switch: "#6ea3d9",
    select: "#b08ce0",
    join: "#5cb88a",
    matches: "#dba24a",
    loops: "#e57fb2",
    stop: "#ec7a6b",
    stop_fill: "#43231f",
    undo: "#4fc3cd",
    undo_fill: "#1b2d30",
    taken: "#5b9dff",
    taken_fill: "#1d2f4d",
    well: "#5cb88a",
    header: ".16",
};

impl Theme {
    fn colours(self) -> &'static Colours {
        match self {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        }
    }
}

const FONT: &str =
    "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Noto Sans','DejaVu Sans',sans-serif";

fn style(theme: Theme, out: &mut String) {
    let c = theme.colours();
    let _ = write!(
        out,
        "text{{font-family:{FONT};fill:{ink}}}
.page{{fill:{page}}}.panel{{fill:{panel};stroke:{panel_line}}}
.box{{fill:{paper};stroke-width:1.4}}.head{{fill-opacity:{header}}}.join{{stroke-dasharray:7 4}}
.k-switch{{stroke:{switch}}}.k-select{{stroke:{select}}}.k-join{{stroke:{join}}}.k-match{{stroke:{matches}}}
.f-switch{{fill:{switch}}}.f-select{{fill:{select}}}.f-join{{fill:{join}}}.f-match{{fill:{matches}}}
.s-switch{{fill:none;stroke:{switch}}}.s-select{{fill:none;stroke:{select}}}
.s-join{{fill:none;stroke:{join}}}.s-match{{fill:none;stroke:{matches}}}
.l{{fill:none;stroke-width:1.5;stroke-linejoin:round}}.forward{{stroke:{line}}}.loop{{stroke:{loops}}}
.stop{{stroke:{stop}}}.undo{{stroke:{undo};stroke-dasharray:4 3}}
.catch{{stroke:{stop};stroke-dasharray:4 3}}
.h-forward{{fill:{line}}}.h-loop{{fill:{loops}}}.h-catch{{fill:{stop}}}
.pill{{fill:{pill};stroke:{pill_line};stroke-width:1.2}}.inset{{fill:none;stroke:{pill_line}}}
.undoer{{fill:{undo_fill};stroke:{undo};stroke-dasharray:4 3}}
.diamond{{fill:{paper};stroke:{select};stroke-width:1.6}}.wedge{{fill:{paper};stroke:{matches};stroke-width:1.3}}
.bar{{fill:{join}}}.terminal{{fill:{ink}}}.mark{{fill:{paper};stroke:{stop};stroke-width:1.4}}
.rail,.nowhere{{stroke:{rail}}}.nowhere{{stroke-width:2}}
.bead{{fill:{paper};stroke:{line}}}.beadf{{fill:{paper};stroke:{pill_line};stroke-dasharray:2 2}}.times{{fill:{taken}}}
.well{{fill:{well}}}.ill{{fill:{stop}}}
.l.t{{stroke-width:2.6}}.forward.t{{stroke:{taken}}}.h-forward.t{{fill:{taken}}}
.pill.t{{fill:{taken_fill};stroke:{taken};stroke-width:1.8}}.inset.t{{stroke:{taken};stroke-width:1}}
.wedge.t{{fill:{taken_fill};stroke:{taken};stroke-width:1.8}}.diamond.t{{fill:{taken_fill};stroke-width:1.8}}
.undoer.t{{stroke-width:2}}.box.t{{stroke-width:1.8}}.mark.t{{stroke-width:1.8}}
.u{{opacity:.34}}.box.u{{opacity:.6}}
.name{{font-size:13px;font-weight:600}}.behave{{font-size:11px;font-style:italic;fill:{soft}}}
.source{{font-size:11px;fill:{soft}}}.label{{font-size:12px;font-weight:600}}.kind{{font-size:11px;font-weight:600}}
.limit{{font-size:10px}}.limitf{{font-size:10px;fill:{soft}}}.count{{font-size:10px;font-weight:600;fill:{page}}}
.fw{{font-size:10.5px;fill:{soft}}}.lp{{font-size:10.5px;fill:{loops}}}.st{{font-size:10.5px;fill:{stop}}}
.un{{font-size:13px;font-weight:600;fill:{undo}}}.ur{{font-size:11px;fill:{undo}}}.word{{font-size:12px;font-weight:600}}
.end{{font-size:12px;fill:{page}}}.badge{{font-size:12px;font-weight:600;fill:{page}}}.who{{font-size:11px;fill:{select}}}
.fw.t{{fill:{taken}}}
",
        ink = c.ink,
        page = c.page,
        panel = c.panel,
        panel_line = c.panel_line,
        paper = c.paper,
        header = c.header,
        switch = c.switch,
        select = c.select,
        join = c.join,
        matches = c.matches,
        line = c.line,
        loops = c.loops,
        stop = c.stop,
        undo = c.undo,
        undo_fill = c.undo_fill,
        soft = c.soft,
        rail = c.rail,
        pill = c.pill,
        pill_line = c.pill_line,
        taken = c.taken,
        taken_fill = c.taken_fill,
        well = c.well,
    );
}

/// The style of steps that failed or were cancelled, where there are some.
fn ends(scene: &Scene, theme: Theme, out: &mut String) {
    let c = theme.colours();
    let any = |state: State| scene.nodes.iter().any(|node| node.state == state);
    if any(State::Failed) {
        let _ = writeln!(
            out,
            ".pill.x{{fill:{};stroke:{stop};stroke-width:2.2}}.inset.x{{stroke:{stop};stroke-width:1}}",
            c.stop_fill,
            stop = c.stop
        );
    }
    if any(State::Cancelled) {
        let _ = writeln!(
            out,
            ".pill.c{{stroke:{soft};stroke-width:1.4;stroke-dasharray:5 3}}.name.c{{fill:{soft}}}",
            soft = c.soft
        );
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Plain => "",
        State::Taken => " t",
        State::Faded => " u",
        State::Cancelled => " c",
        State::Failed => " x",
    }
}

fn kind(kind: StageKind) -> &'static str {
    crate::lower::kind_word(kind)
}

fn frame(frame: &Frame, out: &mut String) {
    let Rect { x, y, w, h } = frame.rect;
    let state = state(frame.state);
    match frame.role {
        FrameRole::Function(id) if id.0 == 0 => {}
        FrameRole::Function(_) => {
            let _ = writeln!(out, r#"<rect class="panel{state}" x="{x}" y="{y}" width="{w}" height="{h}" rx="12"/>"#);
        }
        FrameRole::Stage(_, of) => {
            let (kind, join) = (kind(of), if of == StageKind::Join { " join" } else { "" });
            let _ = writeln!(
                out,
                r#"<rect class="box k-{kind}{join}{state}" x="{x}" y="{y}" width="{w}" height="{h}" rx="9"/>"#
            );
            let head = super::layout::HEADER;
            let _ = writeln!(
                out,
                r#"<path class="head f-{kind}{state}" d="M{x} {bottom}V{shoulder}a9 9 0 0 1 9-9h{top}a9 9 0 0 1 9 9V{bottom}z"/>"#,
                bottom = y + head,
                shoulder = y + 9,
                top = w - 18,
            );
        }
    }
}

fn line(line: &Line, out: &mut String) {
    let role = match line.role {
        LineRole::Forward => "forward",
        LineRole::Loop => "loop",
        LineRole::Stop => "stop",
        LineRole::Undo => "undo",
        LineRole::Catch => "catch",
        LineRole::Rail => "rail",
    };
    let state = state(line.state);
    let mut points = line.points.clone();
    let mut head = String::new();
    if line.head
        && let [.., before, last] = &mut points[..]
    {
        // The line ends inside its head.
        let (dx, dy) = ((last.0 - before.0).signum(), (last.1 - before.1).signum());
        let (x, y) = *last;
        let _ = write!(
            head,
            "M{x} {y}L{} {}L{} {}z",
            x - 8 * dx - 4 * dy,
            y - 8 * dy - 4 * dx,
            x - 8 * dx + 4 * dy,
            y - 8 * dy + 4 * dx
        );
        *last = (x - 5 * dx, y - 5 * dy);
    }
    let _ = writeln!(out, r#"<path class="l {role}{state}" d="{}"/>"#, rounded(&points, line.gap));
    if !head.is_empty() {
        let _ = writeln!(out, r#"<path class="h-{role}{state}" d="{head}"/>"#);
    }
}

/// The path of a polyline, its corners round, its first piece open where a text stands.
fn rounded(points: &[(i32, i32)], gap: Option<(i32, i32)>) -> String {
    let mut path = String::new();
    let [first, rest @ ..] = points else { return path };
    let _ = write!(path, "M{} {}", first.0, first.1);
    if let (Some((from, to)), Some(second)) = (gap, rest.first()) {
        let (from, to) = if second.0 < first.0 { (to, from) } else { (from, to) };
        let _ = write!(path, "H{from}M{to} {}", first.1);
    }
    for (at, point) in rest.iter().enumerate() {
        let Some(next) = rest.get(at + 1) else {
            let _ = write!(path, "L{} {}", point.0, point.1);
            break;
        };
        let before = points[at];
        let length = |a: (i32, i32), b: (i32, i32)| (a.0 - b.0).abs() + (a.1 - b.1).abs();
        let radius = 6.min(length(before, *point) / 2).min(length(*point, *next) / 2);
        let toward = |to: (i32, i32)| {
            (point.0 + (to.0 - point.0).signum() * radius, point.1 + (to.1 - point.1).signum() * radius)
        };
        let ((ax, ay), (bx, by)) = (toward(before), toward(*next));
        let _ = write!(path, "L{ax} {ay}Q{} {} {bx} {by}", point.0, point.1);
    }
    path
}

fn node(node: &Node, out: &mut String) {
    let Rect { x, y, w, h } = node.rect;
    let (state, right, bottom) = (state(node.state), node.rect.right(), node.rect.bottom());
    let here = |class: &str| format!("{class}{}", if node.now { " now" } else { "" });
    let (mx, my) = (x + w / 2, y + h / 2);
    let rect = |class: &str, grow: i32, rx: i32| {
        format!(
            r#"<rect class="{class}{state}" x="{}" y="{}" width="{}" height="{}" rx="{rx}"/>"#,
            x - grow,
            y - grow,
            w + 2 * grow,
            h + 2 * grow
        )
    };
    let shape = match node.shape {
        Shape::Pill { calls, many, .. } => {
            let rx = (h / 2).min(17);
            let mut pill = String::new();
            if many {
                for by in [4, 2] {
                    let (x, y) = (x + by, y + by);
                    let _ = write!(
                        pill,
                        r#"<rect class="pill{state}" x="{x}" y="{y}" width="{w}" height="{h}" rx="{rx}"/>"#
                    );
                }
            }
            pill.push_str(&rect(&here("pill"), 0, rx));
            if calls {
                pill.push_str(&rect("inset", -3, rx - 3));
            }
            let mut titled = String::from("<g><title>");
            escape(&node.title, &mut titled);
            let _ = write!(titled, "</title>{pill}</g>");
            titled
        }
        Shape::Undoer => rect(&here("undoer"), 0, 12),
        Shape::Diamond => {
            let class = here("diamond");
            format!(r#"<path class="{class}{state}" d="M{mx} {y}L{right} {my}L{mx} {bottom}L{x} {my}z"/>"#)
        }
        Shape::Wedge => format!(
            r#"<path class="wedge{state}" d="M{x} {y}H{}L{right} {my}L{} {bottom}H{x}z"/>"#,
            right - WEDGE_TIP,
            right - WEDGE_TIP
        ),
        Shape::Bar => rect("bar", 0, 2),
        Shape::Terminal => rect("terminal", 0, h / 2),
        Shape::Ending { well } => rect(if well { "well" } else { "ill" }, 0, 11),
        Shape::Bead { faint } => rect(if faint { "beadf" } else { "bead" }, 0, h / 2),
        Shape::Times => rect("times", 0, h / 2),
        Shape::Cancel => format!(
            r#"<g class="mark{state}"><circle cx="{mx}" cy="{my}" r="5"/><path d="M{} {}l4 4m0-4l-4 4"/></g>"#,
            mx - 2,
            my - 2
        ),
        Shape::Timeout => {
            format!(r#"<g class="mark{state}"><circle cx="{mx}" cy="{my}" r="5"/><path d="M{mx} {}v3h2"/></g>"#, my - 3)
        }
        Shape::Nowhere => format!(r#"<path class="l nowhere{state}" d="M{right} {my}h-5m0-5v10"/>"#),
        Shape::Glyph(of) => glyph(x, y, of, state),
    };
    out.push_str(&shape);
    out.push('\n');
}

/// The sign of a kind, 16 by 16.
fn glyph(x: i32, y: i32, of: StageKind, state: &str) -> String {
    let kind = kind(of);
    let d = match of {
        // One after the other.
        StageKind::Switch => "M8 1v13m-4-4l4 4 4-4M4.5 1h7",
        // A choice.
        StageKind::Select => "M8 1.5L14.5 8 8 14.5 1.5 8z",
        // Side by side between two bars.
        StageKind::Join => "M1.5 2h13M1.5 14h13M4 2v12M8 2v12M12 2v12",
        // A wedge.
        StageKind::Match => "M1.5 3h7L14.5 8l-6 5h-7z",
    };
    format!(r#"<path class="s-{kind}{state}" style="stroke-width:1.5" transform="translate({x} {y})" d="{d}"/>"#)
}

fn text(text: &Text, out: &mut String) {
    let class = match text.style {
        Style::Name => "name",
        Style::Behaviour => "behave",
        Style::Source => "source",
        Style::Kind(of) => match of {
            StageKind::Switch => "kind f-switch",
            StageKind::Select => "kind f-select",
            StageKind::Join => "kind f-join",
            StageKind::Match => "kind f-match",
        },
        Style::Label => "label",
        Style::Bead => "limit",
        Style::BeadFaint => "limitf",
        Style::Times => "count",
        Style::Forward => "fw",
        Style::Loop => "lp",
        Style::Stop => "st",
        Style::Undo => "un",
        Style::Undoer => "ur",
        Style::Wedge => "word",
        Style::Terminal => "end",
        Style::Ending => "badge",
        Style::Chooser => "who",
    };
    let anchor = match text.anchor {
        Anchor::Start => "",
        Anchor::Middle => r#" text-anchor="middle""#,
        Anchor::End => r#" text-anchor="end""#,
    };
    // The middle of the small letters, not of the line.
    let y = text.y * 10 + text.style.size_tenths() as i32 * 35 / 100;
    let _ =
        write!(out, r#"<text class="{class}{}" x="{}" y="{}.{}"{anchor}>"#, state(text.state), text.x, y / 10, y % 10);
    escape(&text.text, out);
    out.push_str("</text>\n");
}

/// Appends text as XML 1.0 may hold it, which cannot hold every character even as a number.
pub fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}
