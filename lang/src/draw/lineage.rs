//! Values and what they were made of as a picture: in layers, each value above what was made of it. No flow graph: a value is
//! there once, whoever took it.

use super::measure::width;
use super::scene::*;
use crate::flow::StepId;
use rustc_hash::FxHashMap;

/// A value as it is drawn.
#[derive(Clone, Debug, Default)]
pub struct Value {
    /// Who made it.
    pub name: String,
    /// What it is, in a few words.
    pub note: String,
    /// Its whole name, shown when somebody points at it.
    pub title: String,
    /// Several values in one.
    pub several: bool,
    /// What it was made of: places in the list of values.
    pub of: Vec<usize>,
}

const HEIGHT: i32 = 44;
const BETWEEN: i32 = 24;
const MARGIN: i32 = 24;
/// Between two layers: above and below the lines, and for each of them.
const AIR: i32 = 14;
const TRACK: i32 = 7;
/// So often the layers are put in order by what stands above and below them.
const SWEEPS: usize = 8;

/// What stands in a layer: a value, or the way of a line that goes on.
struct Slot {
    value: Option<usize>,
    w: i32,
    x: i32,
    /// Slots of the layer above.
    above: Vec<usize>,
}

/// The picture; the value `asked` stands out.
pub(super) fn scene(values: &[Value], asked: usize) -> Scene {
    let depths = depths(values);
    let mut layers = layers(values, &depths);
    order(&mut layers);
    let total = |layer: &[Slot]| layer.iter().map(|slot| slot.w + BETWEEN).sum::<i32>() - BETWEEN;
    let inner = layers.iter().map(|layer| total(layer)).max().unwrap_or(0);
    for layer in &mut layers {
        let mut x = MARGIN + (inner - total(layer)) / 2;
        for slot in layer {
            slot.x = x;
            x += slot.w + BETWEEN;
        }
    }
    let mut scene = Scene { width: inner + 2 * MARGIN, ..Scene::default() };
    let mut y = MARGIN;
    for (at, layer) in layers.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| layers.get(before));
        if let Some(before) = before {
            y = ways(before, layer, y, &mut scene);
        }
        for slot in layer {
            match slot.value.and_then(|value| Some((value, values.get(value)?))) {
                Some((value, of)) => pill(of, value == asked, slot, y, &mut scene),
                None => {
                    let x = slot.x + slot.w / 2;
                    scene.lines.push(line(vec![(x, y), (x, y + HEIGHT)], false));
                }
            }
        }
        y += HEIGHT;
    }
    scene.height = y + MARGIN;
    scene
}

/// How many layers stand above each value: as many as it took, one after the other.
fn depths(values: &[Value]) -> Vec<usize> {
    let mut depths = vec![0; values.len()];
    let mut waits: Vec<usize> = values.iter().map(|value| value.of.len()).collect();
    let mut takers: FxHashMap<usize, Vec<usize>> = FxHashMap::default();
    for (at, value) in values.iter().enumerate() {
        for of in &value.of {
            takers.entry(*of).or_default().push(at);
        }
    }
    let mut ready: Vec<usize> = (0..values.len()).filter(|at| waits.get(*at) == Some(&0)).collect();
    while let Some(at) = ready.pop() {
        let below = depths.get(at).copied().unwrap_or(0) + 1;
        for taker in takers.remove(&at).unwrap_or_default() {
            if let (Some(depth), Some(waits)) = (depths.get_mut(taker), waits.get_mut(taker)) {
                *depth = below.max(*depth);
                *waits = waits.saturating_sub(1);
                if *waits == 0 {
                    ready.push(taker);
                }
            }
        }
    }
    depths
}

fn layers(values: &[Value], depths: &[usize]) -> Vec<Vec<Slot>> {
    let deepest = depths.iter().max().map_or(0, |depth| depth + 1);
    let mut layers: Vec<Vec<Slot>> = (0..deepest).map(|_| Vec::new()).collect();
    let mut places: FxHashMap<usize, usize> = FxHashMap::default();
    // The ways of a value further down, each once: from layer to layer.
    let mut ways: FxHashMap<(usize, usize), usize> = FxHashMap::default();
    let mut in_order: Vec<usize> = (0..values.len()).collect();
    in_order.sort_by_key(|at| (depths.get(*at).copied(), *at));
    for at in in_order {
        let (Some(value), Some(depth)) = (values.get(at), depths.get(at).copied()) else { continue };
        let mut above = Vec::new();
        for of in &value.of {
            let (Some(mut from), Some(begin)) = (places.get(of).copied(), depths.get(*of).copied()) else { continue };
            for passed in begin + 1..depth {
                from = *ways.entry((*of, passed)).or_insert_with(|| {
                    let Some(layer) = layers.get_mut(passed) else { return 0 };
                    layer.push(Slot { value: None, w: 8, x: 0, above: vec![from] });
                    layer.len() - 1
                });
            }
            above.push(from);
        }
        above.sort_unstable();
        above.dedup();
        let w = width(&value.name, Style::Name).max(width(&value.note, Style::Source)) + 32;
        if let Some(layer) = layers.get_mut(depth) {
            places.insert(at, layer.len());
            layer.push(Slot { value: Some(at), w, x: 0, above });
        }
    }
    layers
}

/// Puts what belongs together over and under each other: each by the middle of what it is joined to.
fn order(layers: &mut [Vec<Slot>]) {
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let steps: Vec<usize> = if down { (1..layers.len()).collect() } else { (1..layers.len()).rev().collect() };
        for at in steps {
            let (before, rest) = layers.split_at_mut(at);
            let (Some(upper), Some(lower)) = (before.last_mut(), rest.first_mut()) else { continue };
            if down {
                let keys: Vec<_> = lower.iter().map(|slot| middle(slot.above.iter().copied())).collect();
                let moved = sort(lower, &keys);
                if let Some(below) = rest.get_mut(1) {
                    renumber(below, &moved);
                }
            } else {
                let below = |upper: usize| {
                    let joined = lower.iter().enumerate().filter(move |(_, slot)| slot.above.contains(&upper));
                    joined.map(|(at, _)| at)
                };
                let keys: Vec<_> = (0..upper.len()).map(|at| middle(below(at))).collect();
                let moved = sort(upper, &keys);
                renumber(lower, &moved);
            }
        }
    }
}

/// Sorts a layer; one without anything to stand by stays where it is. Gives where each has gone.
fn sort(layer: &mut Vec<Slot>, keys: &[Option<usize>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..layer.len()).collect();
    order.sort_by_key(|at| (keys.get(*at).copied().flatten().unwrap_or(*at * 1_000), *at));
    let mut moved = vec![0; layer.len()];
    let mut slots: Vec<Option<Slot>> = layer.drain(..).map(Some).collect();
    for (to, from) in order.into_iter().enumerate() {
        if let (Some(slot), Some(place)) = (slots.get_mut(from).and_then(Option::take), moved.get_mut(from)) {
            layer.push(slot);
            *place = to;
        }
    }
    moved
}

fn renumber(layer: &mut [Slot], moved: &[usize]) {
    for above in layer.iter_mut().flat_map(|slot| &mut slot.above) {
        *above = moved.get(*above).copied().unwrap_or(*above);
    }
}

/// In thousandths of a place.
fn middle(places: impl Iterator<Item = usize>) -> Option<usize> {
    let (sum, count) = places.fold((0, 0), |(sum, count), at| (sum + at * 1_000, count + 1));
    sum.checked_div(count)
}

/// The lines from one layer to the next, each on a track of its own; gives where the next layer begins.
fn ways(upper: &[Slot], lower: &[Slot], y: i32, scene: &mut Scene) -> i32 {
    let mut ways: Vec<(i32, i32, bool)> = Vec::new();
    for slot in lower {
        let to = slot.x + slot.w / 2;
        let from = slot.above.iter().filter_map(|above| upper.get(*above)).map(|above| above.x + above.w / 2);
        ways.extend(from.map(|from| (from, to, slot.value.is_some())));
    }
    ways.sort_unstable();
    let crossing = ways.iter().filter(|(from, to, _)| from != to).count() as i32;
    let bottom = y + 2 * AIR + TRACK * (crossing - 1).max(0) + 6;
    let mut track = y + AIR;
    for (from, to, head) in ways {
        if from == to {
            scene.lines.push(line(vec![(from, y), (to, bottom)], head));
        } else {
            scene.lines.push(line(vec![(from, y), (from, track), (to, track), (to, bottom)], head));
            track += TRACK;
        }
    }
    bottom
}

fn line(points: Vec<(i32, i32)>, head: bool) -> Line {
    Line { points, role: LineRole::Forward, head, gap: None, state: State::Plain, of: Vec::new() }
}

fn pill(value: &Value, asked: bool, slot: &Slot, y: i32, scene: &mut Scene) {
    let state = if asked { State::Taken } else { State::Plain };
    let shape = Shape::Pill { step: StepId(0), calls: false, many: value.several };
    let rect = Rect { x: slot.x, y, w: slot.w, h: HEIGHT };
    scene.nodes.push(Node { rect, shape, state, now: false, title: value.title.clone() });
    for (text, style, at) in [(&value.name, Style::Name, 16), (&value.note, Style::Source, 31)] {
        let x = slot.x + slot.w / 2;
        scene.texts.push(Text { x, y: y + at, anchor: Anchor::Middle, style, state, text: text.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(of: &[usize]) -> Value {
        Value { name: format!("made of {of:?}"), note: "text/plain".into(), of: of.to_vec(), ..Value::default() }
    }

    #[test]
    fn each_value_stands_below_what_it_was_made_of_and_on_nothing_else() {
        let mut state = 7_u64;
        for size in [0, 1, 2, 9, 60] {
            let values: Vec<Value> = (0..size)
                .map(|at| {
                    let mut of: Vec<usize> = (0..at)
                        .filter(|_| {
                            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                            state >> 60 == 0
                        })
                        .collect();
                    of.dedup();
                    value(&of)
                })
                .collect();
            let scene = scene(&values, 0);
            assert_eq!(scene.nodes.len(), size);
            let rect = |title: &str| {
                let at = scene.texts.iter().position(|text| text.text == title).expect("drawn");
                scene.nodes[at / 2].rect
            };
            for value in &values {
                for of in &value.of {
                    assert!(rect(&values[*of].name).bottom() < rect(&value.name).y || values[*of].name == value.name);
                }
            }
            for (at, one) in scene.nodes.iter().enumerate() {
                assert!(one.rect.x >= 0 && one.rect.right() <= scene.width && one.rect.bottom() <= scene.height);
                for other in &scene.nodes[..at] {
                    let apart = one.rect.x >= other.rect.right()
                        || other.rect.x >= one.rect.right()
                        || one.rect.y >= other.rect.bottom()
                        || other.rect.y >= one.rect.bottom();
                    assert!(apart, "{:?} {:?}", one.rect, other.rect);
                }
            }
            for line in &scene.lines {
                for piece in line.points.windows(2) {
                    assert!(piece[0].0 == piece[1].0 || piece[0].1 == piece[1].1);
                    let (x, y) = ((piece[0].0 + piece[1].0) / 2, (piece[0].1 + piece[1].1) / 2);
                    let within = |node: &&Node| {
                        node.rect.x < x && x < node.rect.right() && node.rect.y < y && y < node.rect.bottom()
                    };
                    assert!(scene.nodes.iter().find(within).is_none(), "a line goes through a value");
                }
            }
            assert_eq!(super::super::values(&values, 0, crate::draw::Theme::Light).matches("<g><title>").count(), size);
        }
    }
}
