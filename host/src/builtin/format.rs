//! `format`: the same values in another spelling.

use super::buffer::Buffer;
use super::input::Call;
use super::items::{AS, Form, Item, Items, form, plain};
use super::schema::sorted;
use super::setting::{Kind, Options, Setting};
use super::table::Table;
use super::{Builtin, Effect, Failure, Output, media};
use serde_json::Value;

pub(super) const BUILTIN: Builtin = Builtin {
    name: "format",
    effect: Effect::Pure,
    words: &[],
    instead: None,
    settings: &[
        Setting::choice(
            "to",
            &["auto", "json", "ndjson", "csv", "tsv", "lines", "markdown", "table"],
            "what it becomes; `auto`: JSON and NDJSON laid out, CSV quoted only where it must be, any other text as it is; `table` has aligned columns",
        ),
        AS,
        Setting::count("indent", 2, "JSON: spaces for each level; 0 puts all on one line"),
        Setting::flag("sort", false, "JSON: members of objects sorted by name"),
        Setting::flag(
            "typed",
            false,
            "from CSV to JSON: fields that spell numbers, `true`, `false` or `null` become such",
        ),
        Setting::optional("columns", Kind::List, "to CSV, Markdown or a table: only these columns, in this order"),
    ],
    check,
    run,
};

fn check(with: &Options<'_>) -> Result<(), Failure> {
    if with.count("indent") > 16 {
        return Err(with.wrong("indent", "may be at most 16"));
    }
    Ok(())
}

fn run(call: &Call<'_>) -> Result<Output, Failure> {
    call.whole()?;
    let from = form(call.with.text("as"), call.input.media_type);
    let to = match (call.with.text("to"), from) {
        ("auto", Form::Json) => "json",
        ("auto", Form::Ndjson) => "ndjson",
        ("auto", Form::Csv(b'\t')) => "tsv",
        ("auto", Form::Csv(_)) => "csv",
        ("auto", Form::Lines) => return Ok(Output::same()),
        (to, _) => to,
    };
    if to == "json" && from == Form::Json {
        let value = call.json()?;
        return json(call, &value);
    }
    let items = read(call, from)?;
    match to {
        "json" => {
            let typed = call.with.flag("typed") && matches!(from, Form::Csv(_));
            let values = if typed { Table::of(&items)?.objects(true) } else { values(&items) };
            json(call, &Value::Array(values))
        }
        "ndjson" => {
            let typed = call.with.flag("typed") && matches!(from, Form::Csv(_));
            let values = if typed { Table::of(&items)?.objects(true) } else { values(&items) };
            let mut out = Buffer::default();
            for value in values {
                if call.with.flag("sort") {
                    out.push_json(&sorted(&value))?
                } else {
                    out.push_json(&value)?
                }
                out.push("\n")?;
            }
            Ok(Output::new(media::NDJSON, out.into_bytes()))
        }
        "lines" => lines(&items),
        to => {
            let mut table = Table::of(&items)?;
            if let Some(columns) = call.with.list("columns") {
                table = table.select(&columns)?;
            }
            Ok(match to {
                "csv" => Output::new(media::CSV, table.csv(b',')?),
                "tsv" => Output::new(media::TSV, table.csv(b'\t')?),
                "markdown" => Output::new(media::MARKDOWN, table.markdown()?),
                _ => Output::new(media::TEXT, table.aligned()?),
            })
        }
    }
}

/// As items; one JSON object counts as a table of one row.
fn read<'a>(call: &Call<'a>, from: Form) -> Result<Items<'a>, Failure> {
    if from == Form::Json
        && let value @ Value::Object(_) = call.json()?
    {
        return Ok(Items { form: from, header: Vec::new(), items: vec![Item::Value(value)] });
    }
    Items::read(call.text()?, from)
}

fn values(items: &Items<'_>) -> Vec<Value> {
    items.items.iter().map(|item| item.value(&items.header).into_owned()).collect()
}

fn json(call: &Call<'_>, value: &Value) -> Result<Output, Failure> {
    let ordered;
    let value = if call.with.flag("sort") {
        ordered = sorted(value);
        &ordered
    } else {
        value
    };
    let mut out = Buffer::default();
    match call.with.count("indent") {
        0 => out.push_json(value)?,
        indent => out.push_pretty(value, indent)?,
    }
    out.push("\n")?;
    let bytes = out.into_bytes();
    let same = bytes == call.input.payload && media::is_json(call.input.media_type);
    Ok(if same { Output::same() } else { Output::new(media::JSON, bytes) })
}

/// One item a line; texts as they are, everything else as compact JSON. A text of several lines would become several items.
fn lines(items: &Items<'_>) -> Result<Output, Failure> {
    let mut out = Buffer::default();
    for (nth, item) in items.items.iter().enumerate() {
        let value = item.value(&items.header);
        let line = plain(&value);
        if line.contains(['\n', '\r']) {
            return Err(Failure::Unreadable(format!(
                "item {} is a text of several lines and cannot become one line: keep JSON, or use `to = \"ndjson\"`",
                nth + 1
            )));
        }
        out.push(&line)?;
        out.push("\n")?;
    }
    Ok(Output::new(media::LINES, out.into_bytes()))
}
