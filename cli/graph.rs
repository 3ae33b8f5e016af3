//! `graph`: a program drawn, or a finished run with the path it took.

use crate::args::{Global, GraphArgs, GraphFormat, Picture, Written};
use crate::fail::{Exit, Failure};
use crate::{compile, module, project};
#[cfg(feature = "store")]
use aivm_host::recovery::From;
use aivm_lang::Compiled;
use aivm_lang::draw::{self, Path, Theme};
use aivm_lang::flow::Flow;
#[cfg(feature = "store")]
use aivm_schema::module::load;
use serde_json::json;
use std::path::Path as FilePath;

/// `aivm graph FILE`.
pub fn graph(global: &Global, args: &GraphArgs) -> Result<Exit, Failure> {
    let drawn = args.format.iter().rev().find_map(|word| match word {
        Picture::Drawn(format) => Some(*format),
        Picture::Of(_) => None,
    });
    let format_of_file = args.format.iter().rev().find_map(|word| match word {
        Picture::Drawn(_) => None,
        Picture::Of(format) => Some(*format),
    });
    let written =
        Written { format: format_of_file, with: args.with.clone(), pipeline: args.pipeline.clone(), who: None };
    let format = match drawn {
        Some(format) => format,
        None => format_of(args.output.as_deref())?,
    };
    let (flow, path) = match (&args.file, &args.run) {
        (Some(file), None) => (compiled(file, &written)?.flow, None),
        (file, Some(run)) => finished(file.as_deref(), &written, run)?,
        (None, None) => {
            return Err(
                Failure::usage("E0811", "nothing to draw").help("aivm graph FILE.aivm, or aivm graph --run RUN")
            );
        }
    };
    let path = path.as_ref();
    if let (Some(_), GraphFormat::Text, Some(run)) = (path, format, &args.run) {
        return Err(Failure::usage("E0811", "the text of a graph shows no path")
            .help(format!("draw it: --format svg; or see the path in text: aivm show {run}")));
    }
    let theme = if args.dark { Theme::Dark } else { Theme::Light };
    let bytes = match format {
        GraphFormat::Svg => draw::svg(&flow, path, theme).into_bytes(),
        GraphFormat::Png => png(&draw::svg(&flow, path, theme))?,
        GraphFormat::Dot => draw::dot(&flow, path).into_bytes(),
        GraphFormat::Mermaid => draw::mermaid(&flow, path).into_bytes(),
        GraphFormat::Text => flow.to_text().into_bytes(),
    };
    give(global, args.file.as_deref(), args.output.as_deref(), &bytes)
}

/// Writes a picture that was drawn of a file, if of one, to where it is asked for.
pub fn give(global: &Global, from: Option<&str>, output: Option<&FilePath>, bytes: &[u8]) -> Result<Exit, Failure> {
    if let Some(file) = output {
        compile::write_other(from.unwrap_or(""), file, bytes)?;
    }
    match (output, std::str::from_utf8(bytes)) {
        (Some(file), _) if global.json => println!("{}", json!({"v": 1, "file": file, "bytes": bytes.len()})),
        (Some(_), _) => {}
        (None, Ok(text)) if global.json => println!("{}", json!({"v": 1, "graph": text})),
        (None, Ok(text)) => print!("{text}"),
        (None, Err(_)) if global.json => {
            return Err(
                Failure::usage("E0810", "a picture of pixels is no text").help("write it to a file: -o FILE.png")
            );
        }
        (None, Err(_)) => crate::out::bytes(bytes),
    }
    Ok(Exit::SENT)
}

/// What a file's name asks for; a name without an ending, as of a pipe, asks for nothing.
fn format_of(output: Option<&FilePath>) -> Result<GraphFormat, Failure> {
    let Some(ending) = output.and_then(FilePath::extension) else { return Ok(GraphFormat::Svg) };
    match ending.to_ascii_lowercase().to_str() {
        Some("svg") => Ok(GraphFormat::Svg),
        Some("png") => Ok(GraphFormat::Png),
        Some("dot" | "gv") => Ok(GraphFormat::Dot),
        Some("mmd" | "mermaid") => Ok(GraphFormat::Mermaid),
        Some("txt") => Ok(GraphFormat::Text),
        _ => {
            Err(Failure::usage("E0818", format!("a name that ends in .{} does not say how to draw", ending.display()))
                .help("end it in .svg, .png, .dot, .mmd or .txt, or say --format FORMAT"))
        }
    }
}

fn compiled(file: &str, written: &Written) -> Result<Compiled, Failure> {
    module::compile(&project::read_source(file, written)?)
}

/// The flow graph and the path of a run that is kept in the store.
#[cfg(feature = "store")]
fn finished(file: Option<&str>, written: &Written, run: &str) -> Result<(Flow, Option<Path>), Failure> {
    let disk = crate::store::existing()?;
    let row = crate::runs::find::run(&disk, run)?;
    // What ran is kept. Another file, or another state of it, is drawn only when it is asked for.
    let kept = if file.is_none() { crate::runs::journal::source(&disk, &row) } else { None };
    let file = file.unwrap_or(&row.program);
    let compiled = match kept {
        Some(kept) => module::compile(&kept),
        None => compiled(file, written),
    };
    let compiled = compiled.map_err(|error| match FilePath::new(file).exists() {
        false => error.help(format!("its text is needed; say where it is now: aivm graph FILE --run {run}")),
        true => error,
    })?;
    let ran = disk.get(row.module).and_then(|module| load(&module.to_framed()).ok());
    if ran.is_some_and(|(module, _)| module.digest() != compiled.module.digest()) {
        eprintln!("{file} is not what it was in this run: the path is drawn as far as it fits");
    }
    let flow = compiled.flow;
    let calls = crate::runs::find::look(&disk, &row.id, From::Start)?.path();
    let path = Path::of(&flow, &row.status, calls.iter().map(|(key, outcome)| (key.as_str(), outcome.as_str())));
    Ok((flow, Some(path)))
}

#[cfg(not(feature = "store"))]
fn finished(_file: Option<&str>, _written: &Written, _run: &str) -> Result<(Flow, Option<Path>), Failure> {
    Err(Failure::no_store())
}

/// The pixels of an SVG.
#[cfg(feature = "png")]
pub fn png(svg: &str) -> Result<Vec<u8>, Failure> {
    use resvg::{tiny_skia, usvg};
    let failed = |reason: String| Failure::failed("E0815", format!("the picture cannot be drawn: {reason}"));
    let mut options = usvg::Options::default();
    options.fontdb_mut().load_system_fonts();
    if options.fontdb.is_empty() {
        return Err(failed("this machine has no fonts".into())
            .help("install a font, such as DejaVu Sans, or take --format svg"));
    }
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| failed(error.to_string()))?;
    // Twice as large for sharp text, but never more than a screen shows or memory holds.
    let size = tree.size();
    let (longest, area) = (size.width().max(size.height()), size.width() * size.height());
    let scale = (16_000.0 / longest).min((64e6 / area).sqrt()).min(2.0);
    let mut pixels =
        tiny_skia::Pixmap::new((size.width() * scale).ceil() as u32, (size.height() * scale).ceil() as u32)
            .ok_or_else(|| failed("it is empty".into()))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| failed(error.to_string()))
}

/// The same where there are none.
#[cfg(not(feature = "png"))]
pub fn png(_svg: &str) -> Result<Vec<u8>, Failure> {
    Err(Failure::usage("E0816", "this aivm was built without PNG pictures")
        .help("take --format svg, or build with the feature `png`"))
}
