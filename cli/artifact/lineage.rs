//! `artifact lineage`: what a value was made of, back to what came from outside.

use super::{get, short};
use crate::args::{Global, LineageArgs, LineageFormat};
use crate::fail::{Exit, Failure};
use crate::out::{plain, size_text};
use crate::store::find;
use aivm_host::store::values::Values;
use aivm_host::work::saw::SOURCES;
use aivm_lang::draw::{self, Theme};
use aivm_schema::artifact::{Artifact, Checksum, parts};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// More values than that are no picture.
const MOST_DRAWN: usize = 400;

/// `aivm artifact lineage`.
pub(super) fn lineage(global: &Global, values: &dyn Values, args: &LineageArgs) -> Result<Exit, Failure> {
    let format = match args.format {
        Some(format) => format,
        None => format_of(args.output.as_deref())?,
    };
    let rows = trace(values, &find(values, &args.artifact)?);
    let theme = if args.dark { Theme::Dark } else { Theme::Light };
    let bytes = match format {
        LineageFormat::Text if global.json && args.output.is_none() => {
            let rows: Vec<_> = rows.iter().map(Row::json).collect();
            println!("{}", json!({"v": 1, "lineage": rows}));
            return Ok(Exit::SENT);
        }
        LineageFormat::Text => rows.iter().map(Row::text).collect::<String>().into_bytes(),
        LineageFormat::Svg => picture(&rows, theme)?.into_bytes(),
        LineageFormat::Png => crate::graph::png(&picture(&rows, theme)?)?,
    };
    crate::graph::give(global, None, args.output.as_deref(), &bytes)
}

fn format_of(output: Option<&Path>) -> Result<LineageFormat, Failure> {
    let Some(ending) = output.and_then(Path::extension) else { return Ok(LineageFormat::Text) };
    match ending.to_ascii_lowercase().to_str() {
        Some("svg") => Ok(LineageFormat::Svg),
        Some("png") => Ok(LineageFormat::Png),
        Some("txt") => Ok(LineageFormat::Text),
        _ => {
            Err(Failure::usage("E0818", format!("a name that ends in .{} does not say how to draw", ending.display()))
                .help("end it in .svg, .png or .txt, or say --format FORMAT"))
        }
    }
}

/// A value, and how far from the one that was asked for.
struct Row {
    checksum: Checksum,
    step: String,
    media_type: String,
    size: usize,
    depth: usize,
    /// What it was made of, as far as that is here.
    of: Vec<Checksum>,
}

impl Row {
    fn json(&self) -> serde_json::Value {
        json!({
            "checksum": self.checksum, "step": self.step, "type": self.media_type, "depth": self.depth, "of": self.of,
        })
    }

    fn text(&self) -> String {
        let depth = "  ".repeat(self.depth.min(40));
        format!("{depth}{}  {}  {}\n", short(self.checksum), plain(&self.step), plain(&self.media_type))
    }
}

/// The artifact and all that it was made of, each once, depth first; the work list is ours, lineages are long.
fn trace(values: &dyn Values, artifact: &Artifact) -> Vec<Row> {
    let (mut rows, mut seen) = (Vec::new(), HashSet::new());
    let mut work = vec![(artifact.checksum(), 0usize)];
    while let Some((checksum, depth)) = work.pop() {
        if !seen.insert(checksum) {
            continue;
        }
        let Some(artifact) = get(values, checksum) else { continue };
        let made_of = ["inputs", SOURCES].into_iter().filter_map(|name| artifact.attribute(name));
        let inputs = made_of.flat_map(|names| names.split(' ')).filter_map(|text| text.parse::<Checksum>().ok());
        let parts = match artifact.media_type() {
            parts::MEDIA_TYPE => parts::decode(artifact.payload()).unwrap_or_default(),
            _ => Vec::new(),
        };
        let of: Vec<Checksum> = inputs.chain(parts.into_iter().map(|part| part.artifact)).collect();
        work.extend(of.iter().rev().map(|parent| (*parent, depth + 1)));
        rows.push(Row {
            checksum,
            step: artifact.attribute("step").unwrap_or(artifact.role()).to_owned(),
            media_type: artifact.media_type().to_owned(),
            size: artifact.payload().len(),
            depth,
            of,
        });
    }
    rows
}

fn picture(rows: &[Row], theme: Theme) -> Result<String, Failure> {
    if rows.len() > MOST_DRAWN {
        let failure = format!("{} values are too many for a picture, which holds {MOST_DRAWN}", rows.len());
        return Err(Failure::usage("E0815", failure).help("list them: --format text"));
    }
    let places: HashMap<Checksum, usize> = rows.iter().enumerate().map(|(at, row)| (row.checksum, at)).collect();
    let value = |row: &Row| {
        let mut of: Vec<usize> = row.of.iter().filter_map(|parent| places.get(parent).copied()).collect();
        of.sort_unstable();
        of.dedup();
        draw::Value {
            name: plain(&super::cut(&row.step, 40)),
            note: plain(&format!("{} · {}", super::cut(&row.media_type, 30), size_text(row.size as u64))),
            title: row.checksum.to_string(),
            several: row.media_type == parts::MEDIA_TYPE,
            of,
        }
    };
    Ok(draw::values(&rows.iter().map(value).collect::<Vec<_>>(), 0, theme))
}
