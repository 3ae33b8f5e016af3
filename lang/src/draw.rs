//! A flow graph as a picture: SVG by a layout of our own, lines of characters, or text for Graphviz and Mermaid. Also of a finished run, with the
//! path that it took; and of values, with what they were made of. The language is structured, so its picture is: boxes in
//! boxes, read from the top down.
//!
//! Pure, and the same picture for the same program. Not here: pixels (the command makes them of the SVG), files.

use crate::flow::Flow;

mod coverage;
mod dot;
mod edges;
mod labels;
mod layout;
mod lineage;
mod measure;
mod mermaid;
mod path;
mod place;
mod plan;
mod routes;
mod scene;
mod svg;
mod terminal;
#[cfg(test)]
mod tests;
mod traffic;

pub use coverage::{Edge, coverage};
pub use lineage::Value;
pub use path::Path;
pub use svg::escape;
pub use terminal::terminal;

/// On what a picture is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// A light page.
    #[default]
    Light,
    /// A dark page.
    Dark,
}

/// The picture as SVG, with a background of its own.
pub fn svg(flow: &Flow, path: Option<&Path>, theme: Theme) -> String {
    svg::write(&scene(flow, path), "The flow graph of a pipeline", theme)
}

/// Values, each above what was made of it, as SVG; the one `asked` for stands out.
pub fn values(values: &[Value], asked: usize, theme: Theme) -> String {
    svg::write(&lineage::scene(values, asked), "What a value was made of", theme)
}

/// The graph for Graphviz.
pub fn dot(flow: &Flow, path: Option<&Path>) -> String {
    dot::write(flow, path)
}

/// The graph for Mermaid, as Markdown pages show it.
pub fn mermaid(flow: &Flow, path: Option<&Path>) -> String {
    mermaid::write(flow, path)
}

fn scene(flow: &Flow, path: Option<&Path>) -> scene::Scene {
    let traffic = path.map(|path| traffic::Traffic::of(flow, path));
    let plan = plan::Plan::of(flow, traffic.as_ref());
    let ended = path.and_then(|path| path.ended.as_deref());
    let layout = layout::Layout::of(flow, plan, ended);
    place::place(flow, traffic.as_ref(), layout, ended)
}
