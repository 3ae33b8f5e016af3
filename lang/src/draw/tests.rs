//! Laws that every picture keeps, over the examples and over generated programs.
#![allow(clippy::disallowed_methods)]

use super::plan::Plan;
use super::scene::*;
use super::{Path, Theme, labels};
use crate::flow::*;
use crate::library::Shelf;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::LazyLock;

mod generate;

fn flow(source: &str) -> Option<Flow> {
    let shelf = Shelf { anything: true, ..Shelf::default() };
    crate::compile("test.aivm", source, &shelf).ok().map(|compiled| compiled.flow)
}

fn examples() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut examples: Vec<(String, String)> = std::fs::read_dir(root)
        .unwrap()
        .flatten()
        .filter_map(|folder| {
            let source = std::fs::read_to_string(folder.path().join("pipeline.aivm")).ok()?;
            Some((folder.file_name().into_string().ok()?, source))
        })
        .collect();
    examples.sort();
    examples
}

/// Generated programs that compile, at least so many, each with its source.
fn generated(most: u64, least: usize) -> Vec<(String, Flow)> {
    let all = (0..most).map(generate::program);
    let flows: Vec<(String, Flow)> = all.filter_map(|source| flow(&source).map(|flow| (source, flow))).collect();
    assert!(flows.len() >= least, "only {} compile", flows.len());
    flows
}

/// A program and its picture.
struct Picture {
    name: String,
    flow: Flow,
    scene: Scene,
}

/// The examples and the generated programs, each also with the path of a run in which everything happened a dozen times.
static PICTURES: LazyLock<Vec<Picture>> = LazyLock::new(|| {
    let mut flows = generated(2500, 200);
    for (name, source) in examples() {
        let flow = flow(&source).unwrap_or_else(|| panic!("{name} does not compile"));
        flows.push((name, flow));
    }
    assert!(flows.len() >= 210);
    let mut pictures = Vec::new();
    for (name, flow) in flows {
        let program = &flow.functions[0];
        let steps = &flow.steps[program.steps.0 as usize..program.steps.1 as usize];
        let calls: Vec<(String, &str)> = steps
            .iter()
            .flat_map(|step| step.outcomes.iter().map(|outcome| (labels::key(&flow, step) + "#1", outcome.word(&flow))))
            .collect();
        let calls = calls.iter().flat_map(|(key, outcome)| std::iter::repeat_n((key.as_str(), *outcome), 12));
        let path = Path::of(&flow, "cancelled", calls);
        for path in [None, Some(&path)] {
            let scene = super::scene(&flow, path);
            pictures.push(Picture { name: name.clone(), flow: flow.clone(), scene });
        }
    }
    pictures
});

fn inside(inner: &Rect, outer: &Rect) -> bool {
    inner.x >= outer.x && inner.y >= outer.y && inner.right() <= outer.right() && inner.bottom() <= outer.bottom()
}

fn overlap(a: &Rect, b: &Rect) -> bool {
    a.x < b.right() && b.x < a.right() && a.y < b.bottom() && b.y < a.bottom()
}

/// A piece of line as a thin box, without its very ends.
fn pieces(line: &Line) -> Vec<Rect> {
    let mut pieces = Vec::new();
    for (at, pair) in line.points.windows(2).enumerate() {
        let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
        let rect = Rect { x: x1.min(x2), y: y1.min(y2), w: (x1 - x2).abs(), h: (y1 - y2).abs() };
        match line.gap {
            Some((from, to)) if at == 0 => {
                pieces.push(Rect { w: from - rect.x, ..rect });
                pieces.push(Rect { x: to, w: rect.right() - to, ..rect });
            }
            _ => pieces.push(rect),
        }
    }
    pieces
}

/// Does a piece of line (of no width) go through a box?
fn crosses(piece: &Rect, rect: &Rect) -> bool {
    piece.x < rect.right() && piece.right() > rect.x && piece.y < rect.bottom() && piece.bottom() > rect.y
        || piece.w == 0
            && piece.x > rect.x
            && piece.x < rect.right()
            && piece.y < rect.bottom()
            && piece.bottom() > rect.y
        || piece.h == 0
            && piece.y > rect.y
            && piece.y < rect.bottom()
            && piece.x < rect.right()
            && piece.right() > rect.x
}

#[track_caller]
fn hold(name: &str, law: &str, broken: &str) -> ! {
    panic!("{law}: {broken}\n{name}")
}

#[test]
fn boxes_stand_in_their_boxes_and_beside_each_other() {
    for Picture { name, scene, .. } in PICTURES.iter() {
        let page = Rect { x: 0, y: 0, w: scene.width, h: scene.height };
        let mut siblings: FxHashMap<Option<usize>, Vec<&Rect>> = FxHashMap::default();
        for frame in &scene.frames {
            let outer = frame.parent.map_or(page, |parent| scene.frames[parent].rect);
            let room = match frame.parent.map(|parent| scene.frames[parent].role) {
                Some(FrameRole::Stage(..)) => super::layout::HEADER,
                _ => 4,
            };
            let inner = Rect { x: outer.x + 4, y: outer.y + room, w: outer.w - 8, h: outer.h - room - 4 };
            if !inside(&frame.rect, &inner) {
                hold(
                    name,
                    "a box stands in the box around it",
                    &format!("{:?} {:?} in {outer:?}", frame.role, frame.rect),
                );
            }
            let beside = siblings.entry(frame.parent).or_default();
            if let Some(other) = beside.iter().find(|other| overlap(other, &frame.rect)) {
                hold(name, "boxes do not overlap", &format!("{:?} {:?} and {other:?}", frame.role, frame.rect));
            }
            beside.push(&frame.rect);
        }
    }
}

#[test]
fn every_step_is_drawn_once_inside_its_stage() {
    for Picture { name, flow, scene } in PICTURES.iter() {
        let plan = Plan::of(flow, None);
        let frames: FxHashMap<FrameRole, Rect> = scene.frames.iter().map(|frame| (frame.role, frame.rect)).collect();
        let mut drawn = FxHashSet::default();
        for node in &scene.nodes {
            let Shape::Pill { step, .. } = node.shape else { continue };
            assert!(drawn.insert(step), "{step:?} is drawn twice in\n{name}");
            let mut around = flow.outwards(Some(flow.step(step).stage)).filter(|stage| !plan.bare[stage.index()]);
            let stage = around.next().unwrap();
            let frame = frames[&FrameRole::Stage(stage, flow.stage(stage).kind)];
            if !inside(&node.rect, &frame) {
                hold(name, "a step stands in its stage", &format!("{step:?} {:?} in {frame:?}", node.rect));
            }
        }
        assert_eq!(drawn.len(), flow.steps.len(), "{name}");
        let boxes = scene.frames.iter().filter(|frame| matches!(frame.role, FrameRole::Stage(..))).count();
        assert_eq!(boxes, plan.bare.iter().filter(|bare| !**bare).count(), "{name}");
    }
}

#[test]
fn every_outcome_has_its_line() {
    for Picture { name, flow, scene } in PICTURES.iter() {
        let drawn: FxHashSet<Of> = scene.lines.iter().flat_map(|line| line.of.iter().copied()).collect();
        for (at, step) in flow.steps.iter().enumerate() {
            for (nth, outcome) in step.outcomes.iter().enumerate() {
                let of = Of::Outcome(StepId(at as u32), nth as u32);
                assert!(drawn.contains(&of), "{outcome:?} of {} has no line in\n{name}", step.name);
            }
        }
        for (at, stage) in flow.stages.iter().enumerate() {
            for (arm, then) in stage.arms.iter().map(|arm| &arm.then).enumerate() {
                let Then::Ends(ends) = then else { continue };
                for (nth, end) in ends.iter().enumerate() {
                    let of = Of::End(StageId(at as u32), arm as u32, nth as u32);
                    assert!(drawn.contains(&of), "{end:?} of arm {arm} of {} has no line in\n{name}", stage.key);
                }
            }
        }
    }
}

#[test]
fn nothing_is_drawn_over_anything_else() {
    for Picture { name, scene, .. } in PICTURES.iter() {
        let page = Rect { x: 0, y: 0, w: scene.width, h: scene.height };
        let solid: Vec<&Node> =
            scene.nodes.iter().filter(|node| !matches!(node.shape, Shape::Glyph(_) | Shape::Times)).collect();
        for (at, node) in solid.iter().enumerate() {
            assert!(inside(&node.rect, &page), "{node:?} is outside of\n{name}");
            if let Some(other) = solid[..at].iter().find(|other| overlap(&node.rect, &other.rect)) {
                hold(name, "signs do not overlap", &format!("{node:?} and {other:?}"));
            }
        }
        for (at, text) in scene.texts.iter().enumerate() {
            let rect = text.rect();
            assert!(inside(&rect, &page), "{text:?} is outside of\n{name}");
            if let Some(other) = scene.texts[..at].iter().find(|other| overlap(&rect, &other.rect())) {
                hold(name, "texts do not overlap", &format!("{text:?} and {other:?}"));
            }
            let within = |node: &&&Node| overlap(&rect, &node.rect) && !inside(&rect, &node.rect);
            if let Some(node) = solid.iter().find(within).filter(|_| text.style != Style::Times) {
                hold(name, "a text stands in a sign or beside it", &format!("{text:?} {rect:?} and {node:?}"));
            }
            for frame in &scene.frames {
                if overlap(&rect, &frame.rect) && !inside(&rect, &frame.rect) {
                    hold(name, "a text stands in a box or beside it", &format!("{text:?} {rect:?} and {frame:?}"));
                }
            }
        }
    }
}

#[test]
fn no_line_goes_through_a_sign_or_a_text() {
    for Picture { name, scene, .. } in PICTURES.iter() {
        let through = |shape: &Shape| matches!(shape, Shape::Bead { .. } | Shape::Bar | Shape::Glyph(_) | Shape::Times);
        let solid: Vec<&Node> = scene.nodes.iter().filter(|node| !through(&node.shape)).collect();
        let beads: Vec<&Node> = scene.nodes.iter().filter(|node| matches!(node.shape, Shape::Bead { .. })).collect();
        for line in &scene.lines {
            for piece in pieces(line) {
                // The point of a wedge is where lines begin.
                let body = |node: &Node| match node.shape {
                    Shape::Wedge => Rect { w: node.rect.w - super::layout::WEDGE_TIP, ..node.rect },
                    _ => node.rect,
                };
                if let Some(node) = solid.iter().find(|node| crosses(&piece, &body(node))) {
                    hold(name, "no line goes through a sign", &format!("{line:?} and {node:?}"));
                }
                for text in &scene.texts {
                    let rect = text.rect();
                    // A bead is drawn over the line that it is threaded on.
                    if crosses(&piece, &rect) && !beads.iter().any(|bead| inside(&rect, &bead.rect)) {
                        hold(name, "no line goes through a text", &format!("{line:?} and {text:?} {rect:?}"));
                    }
                }
                for frame in &scene.frames {
                    let FrameRole::Stage(..) = frame.role else { continue };
                    // Into a box, out of it, but not straight through.
                    let through = piece.x < frame.rect.x && piece.right() > frame.rect.right()
                        || piece.y < frame.rect.y && piece.bottom() > frame.rect.bottom();
                    if through && crosses(&piece, &frame.rect) {
                        hold(name, "no line goes through a box", &format!("{line:?} and {frame:?}"));
                    }
                    if sides(&frame.rect).iter().any(|side| near(&piece, side)) {
                        hold(name, "no line runs along the side of a box", &format!("{line:?} and {frame:?}"));
                    }
                }
            }
        }
    }
}

fn sides(rect: &Rect) -> [Rect; 4] {
    let Rect { x, y, w, h } = *rect;
    [Rect { w: 0, ..*rect }, Rect { h: 0, ..*rect }, Rect { x: x + w, y, w: 0, h }, Rect { x, y: y + h, w, h: 0 }]
}

/// Closer than one can tell apart?
fn near(a: &Rect, b: &Rect) -> bool {
    let shifted = |by: i32| if b.w == 0 { Rect { x: b.x + by, ..*b } } else { Rect { y: b.y + by, ..*b } };
    (-3..=3).any(|by| along(a, &shifted(by)))
}

/// Do two pieces of line lie on each other?
fn along(a: &Rect, b: &Rect) -> bool {
    let beside = |a: (i32, i32), b: (i32, i32)| a.0 < b.0 + b.1 && b.0 < a.0 + a.1;
    a.w == 0 && b.w == 0 && a.x == b.x && beside((a.y, a.h), (b.y, b.h))
        || a.h == 0 && b.h == 0 && a.y == b.y && beside((a.x, a.w), (b.x, b.w))
}

#[test]
fn each_loop_has_a_lane_of_its_own() {
    for Picture { name, scene, .. } in PICTURES.iter() {
        for (at, line) in scene.lines.iter().enumerate().filter(|(_, line)| line.role == LineRole::Loop) {
            for (nth, other) in scene.lines.iter().enumerate() {
                // Ways to the same place come together.
                if nth == at || other.role == LineRole::Loop && other.points.last() == line.points.last() {
                    continue;
                }
                let others = pieces(other);
                if pieces(line).iter().any(|piece| others.iter().any(|other| along(piece, other))) {
                    hold(name, "a loop has its own lane", &format!("{line:?} and {other:?}"));
                }
            }
        }
    }
}

#[test]
fn every_picture_is_well_formed_and_the_same_again() {
    for Picture { name, flow, .. } in PICTURES.iter().step_by(2) {
        let svg = super::svg(flow, None, Theme::Light);
        well_formed(&svg).unwrap_or_else(|wrong| panic!("{wrong} in\n{svg}\nof\n{name}"));
        assert_eq!(svg, super::svg(flow, None, Theme::Light));
        assert_ne!(svg, super::svg(flow, None, Theme::Dark));
    }
    assert!(well_formed("<svg><g></svg>").is_err());
    assert!(well_formed("<svg>a & b</svg>").is_err());
}

/// Tags are closed in their order, attributes stand in quotes, `<` and `&` are escaped.
fn well_formed(xml: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml.trim();
    while !rest.is_empty() {
        let (text, tag) = match rest.split_once('<') {
            Some((text, tag)) => (text, tag),
            None => (rest, ""),
        };
        for entity in text.split('&').skip(1) {
            let name = entity.split_once(';').map(|(name, _)| name);
            if !matches!(name, Some("amp" | "lt" | "gt" | "quot")) {
                return Err(format!("a bare & before {entity}"));
            }
        }
        if tag.is_empty() {
            break;
        }
        let (tag, after) = tag.split_once('>').ok_or("a tag is not closed")?;
        rest = after.trim_start();
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes another"));
            }
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        if attributes.matches('"').count() % 2 != 0
            || attributes.matches('=').count() * 2 > attributes.matches('"').count()
        {
            return Err(format!("quotes in {tag}"));
        }
        if !tag.ends_with('/') {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} are not closed")) }
}

/// The second program of the sketch, and the calls of a run of it.
fn sketch() -> (Flow, Path) {
    let source = include_str!("../../../examples/sketch-2/pipeline.aivm");
    let flow = flow(source).unwrap();
    let once = |keys: &[(&'static str, &'static str)], n: usize| keys.repeat(n);
    let mut calls =
        once(&[("switch.1/clean#1", "next"), ("switch.1/validate#1", "next"), ("switch.1/enrich#1", "send")], 1);
    calls.extend([("step2/analyze#1", "next"), ("step2/model#1", "back")]);
    calls.extend(once(&[("step2/analyze#2", "next"), ("step2/model#2", "next"), ("step2/optimize#1", "send")], 2));
    calls.extend([("join.3/1/select.1/reason#1", "cancel"), ("join.3/2/switch.1/format#1", "next")]);
    calls.extend([("join.3/1/select.1/reason#2", "next"), ("join.3/1/select.1/plan#1", "next")]);
    calls.extend([("join.3/2/switch.1/format#2", "next"), ("join.3/2/switch.1/save#1", "send")]);
    calls.extend(once(&[("mylabel/clean#1", "next"), ("mylabel/validate#1", "next"), ("mylabel/enrich#1", "next")], 5));
    let path = Path::of(&flow, "sent", calls);
    (flow, path)
}

#[test]
fn what_lies_between_calls_follows_from_them() {
    let (flow, path) = sketch();
    let traffic = super::traffic::Traffic::of(&flow, &path);
    let stage = |key: &str| StageId(flow.stages.iter().position(|stage| stage.key == key).unwrap() as u32);
    // The join failed once, so `default` jumped once; then `success` went on.
    let caught = stage("match.4");
    assert_eq!([traffic.entries(caught), traffic.caught(caught), traffic.exits(caught)], [Some(2), Some(1), Some(1)]);
    assert_eq!([traffic.end(caught, 0, 0), traffic.end(caught, 1, 0)], [Some(1), Some(1)]);
    // Entered once by the flow and four times by the jump, until `done`.
    let last = stage("mylabel");
    assert_eq!([traffic.entries(last), traffic.exits(last)], [Some(5), Some(1)]);
    let inner = stage("mylabel/4/match.1");
    assert_eq!([traffic.arm(inner, 0), traffic.arm(inner, 1)], [Some(1), Some(4)]);
    assert_eq!(traffic.exits(stage("join.3/1/select.1")), Some(1));
}

#[test]
fn keys_inside_definitions_find_their_steps() {
    let flow = flow(
        "find <= ( switch[s] <= ( look => next take ~ put => send ) )
         out <= ( switch[s2] <= ( list => next [find <= s2.list.out.*] => send ) ) <= in",
    )
    .unwrap();
    let calls = [
        ("s2/list#1", "next"),
        ("s2/find#1[0]/s/look#1", "retry"),
        ("s2/find#1[0]/s/look#1", "next"),
        ("s2/find#1[0]/s/take#1", "send"),
        ("s2/find#1[1]/s/look#1", "cancel"),
        ("s2/find#1[0]", "send"),
        ("s2/find#1[1]", "failed"),
        ("s2/find#1", "failed"),
        ("s2/find#1[0]/s/take#1~undo", "undone"),
        ("elsewhere/look#1", "next"),
        ("not a key", "next"),
    ];
    let traffic = super::traffic::Traffic::of(&flow, &Path::of(&flow, "failed", calls));
    let step = |name: &str| StepId(flow.steps.iter().position(|step| step.name == name).unwrap() as u32);
    assert_eq!(["list", "find", "look", "take"].map(|name| traffic.visits(step(name))), [1, 1, 2, 1]);
    assert_eq!(traffic.undone(step("take")), 1);
    assert_eq!([traffic.calls(FunctionId(0)), traffic.calls(FunctionId(1))], [1, 2]);
}

#[test]
fn a_run_is_drawn_strong_where_it_went_and_faded_where_it_did_not() {
    let (flow, path) = sketch();
    let scene = super::scene(&flow, Some(&path));
    let state = |of: Of| scene.lines.iter().find(|line| line.of.contains(&of)).unwrap().state;
    let step = |key: &str| StepId(flow.steps.iter().position(|step| labels::key(&flow, step) == key).unwrap() as u32);
    assert_eq!(state(Of::Outcome(step("step2/model"), 1)), State::Taken);
    assert_eq!(state(Of::Outcome(step("step2/model"), 2)), State::Faded);
    let texts: Vec<&str> = scene.texts.iter().map(|text| text.text.as_str()).collect();
    assert!(texts.contains(&"jump mylabel ×4") && texts.contains(&"sent") && texts.contains(&"×5"), "{texts:?}");
    assert!(super::scene(&flow, None).lines.iter().all(|line| line.state == State::Plain));
}

#[test]
fn what_failed_is_red_and_what_was_cancelled_with_it_is_dashed() {
    let source = "out <= ( switch[s] <= ( folder ~ drop => next ) <= join[j] <= (
        slow => next  quick => next | cancel  fast => next ) <= switch <= ( report => send ) ) <= in";
    let flow = flow(source).unwrap();
    let run = |ended: &str, last: &str| {
        let calls = [
            ("s/folder#1", "next"),
            ("j/fast#1", "next"),
            ("j/quick#1", last),
            ("j/slow#1", "cancelled"),
            ("s/folder#1~undo", "undone"),
        ];
        Path::of(&flow, ended, calls)
    };
    let states = |path: &Path| {
        let scene = super::scene(&flow, Some(path));
        let pills = scene.nodes.iter().filter(|node| matches!(node.shape, Shape::Pill { .. }));
        pills.map(|node| (node.title.clone(), node.state)).collect::<std::collections::BTreeMap<_, _>>()
    };
    // `cancel` was taken because it failed: only then does the run end so.
    for last in ["failed", "cancel", "exhausted"] {
        let path = run("failed", last);
        let states = states(&path);
        assert_eq!(
            ["s/folder", "j/fast", "j/quick", "j/slow", "switch.3/report"].map(|key| states[key]),
            [State::Taken, State::Taken, State::Failed, State::Cancelled, State::Faded],
            "{last}"
        );
        let svg = super::svg(&flow, Some(&path), Theme::Light);
        assert!(svg.contains(r#"class="pill x""#) && svg.contains(".pill.x{") && svg.contains(".pill.c{"));
        assert!(super::dot(&flow, Some(&path)).contains("fillcolor=\"#fbe9e6\""));
        assert!(super::mermaid(&flow, Some(&path)).contains("(\"quick\"):::failed"));
    }
    assert_eq!(states(&run("cancelled", "cancel"))["j/quick"], State::Taken);
    assert!(!super::svg(&flow, None, Theme::Light).contains(".pill.x{"));
}

#[test]
fn graphs_for_other_tools_say_the_same() {
    let source = "make <= ( switch <= ( build<3, 30s> ~ clean => next | retry * 2 | cancel ) )
        out <= (
            switch[a] <= ( make => next | back | timeout  look<careful> => send | [a.jump] )
            <= match <= ( good => send  failure => out <= select <= ( [mend <= a.look.out] => next )  default => cancel )
            <= join<1> <= ( left => next  right => next )
        ) <= in";
    let flow = flow(source).unwrap();
    let calls =
        [("a/make#1/switch.1/build#1", "next"), ("a/make#1", "next"), ("a/look#1", "send"), ("join.3/left#1", "next")];
    let path = Path::of(&flow, "sent", calls);
    insta::assert_snapshot!("dot", super::dot(&flow, None));
    insta::assert_snapshot!("mermaid", super::mermaid(&flow, None));
    insta::assert_snapshot!("dot_of_a_run", super::dot(&flow, Some(&path)));
    insta::assert_snapshot!("mermaid_of_a_run", super::mermaid(&flow, Some(&path)));
}

#[test]
fn names_cannot_break_out() {
    let mut flow = flow("out <= ( switch <= ( a => send ) ) <= in").unwrap();
    flow.workers[0].name = "\"]<script>&|{x}\n\\".to_owned();
    well_formed(&super::svg(&flow, None, Theme::Light)).unwrap();
    assert!(!super::svg(&flow, None, Theme::Light).contains("<script"));
    assert!(super::dot(&flow, None).contains(r#"label="\"]<script>&|{x} \\""#));
    assert!(super::mermaid(&flow, None).contains("(\"#34;#93;#60;script#62;#38;#124;#123;x#125; #92;\")"));
}

#[test]
fn size_does_not_matter() {
    let long = |kind: &str, steps: usize| {
        let mut source = format!("out <= ( {kind}[s] <= (");
        for at in 0..steps {
            let back = if kind == "join" {
                "retry".to_owned()
            } else {
                format!("back * {} | [s.w{}.jump]", at / 2 + 1, at * 7 % 100)
            };
            source.push_str(&format!(" w{} => next | {back} | cancel", at % 100));
        }
        source + " ) ) <= in"
    };
    for kind in ["switch", "select", "join"] {
        let flow = flow(&long(kind, 20_000)).unwrap();
        let calls = flow.steps.iter().map(|step| (labels::key(&flow, step) + "#1", "next")).collect::<Vec<_>>();
        let path = Path::of(&flow, "failed", calls.iter().map(|(key, outcome)| (key.as_str(), *outcome)));
        for path in [None, Some(&path)] {
            assert!(super::svg(&flow, path, Theme::Light).len() < 60_000_000);
            assert!(super::dot(&flow, path).len() < 10_000_000);
            assert!(super::mermaid(&flow, path).len() < 10_000_000);
        }
    }
    let deep = "switch <= ( a => next | cancel out <= ".repeat(60) + "switch <= ( a => send )" + &" )".repeat(60);
    let flow = flow(&format!("out <= ( {deep} ) <= in")).unwrap();
    assert_eq!(super::scene(&flow, None).frames.len(), 61);
}
