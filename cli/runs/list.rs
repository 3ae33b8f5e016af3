//! `runs`: the runs of the store, the newest first.

use crate::args::{Global, RunsArgs};
use crate::artifact::time_text;
use crate::fail::{self, Exit, Failure, coded};
use crate::out::one_line;
use crate::out::{paint, say};
use crate::runs::journal::{status_word, waits_of, waits_word};
use aivm_host::store::RunRow;
use serde_json::json;
use std::time::{Duration, SystemTime};

/// `aivm runs`.
pub fn runs(global: &Global, args: &RunsArgs) -> Result<Exit, Failure> {
    let disk = crate::store::existing()?;
    let filtered = !args.status.is_empty() || args.program.is_some() || args.since.is_some();
    // What is left out may stand before what is asked for.
    let most = if filtered { i64::MAX as usize } else { args.most };
    let rows = disk.runs(&args.prefix, most).map_err(|error| coded(&error.to_string()))?;
    let since = match args.since {
        Some(since) => SystemTime::now().checked_sub(Duration::from_millis(since.0)),
        None => None,
    };
    let since = since.and_then(|since| since.duration_since(SystemTime::UNIX_EPOCH).ok());
    let since = since.map_or(0, |since| since.as_nanos() as u64);
    let mut shown = Vec::new();
    for row in rows.into_iter().filter(|row| row.started >= since && is_of(row, args.program.as_deref())) {
        if shown.len() == args.most {
            break;
        }
        let waits = waits_of(&disk, &row)?;
        let word = status_word(&row, waits.as_deref());
        if args.status.is_empty() || args.status.iter().any(|status| status == word || *status == row.status) {
            shown.push((row, waits));
        }
    }
    if global.json {
        let row = |(row, waits): &(RunRow, Option<String>)| {
            json!({
                "run": row.id,
                "status": row.status,
                "waits": waits,
                "program": row.program,
                "started": row.started,
                "quarantine": row.quarantine,
            })
        };
        println!("{}", json!({"v": 1, "runs": shown.iter().map(row).collect::<Vec<_>>()}));
        return Ok(Exit::SENT);
    }
    if shown.is_empty() {
        say(if filtered || !args.prefix.is_empty() { "no such runs" } else { "no runs yet: aivm run FILE" });
        return Ok(Exit::SENT);
    }
    print!("{}", table(&shown, fail::colours(&std::io::stdout())));
    Ok(Exit::SENT)
}

/// Is a run one of this program? Its file, or a folder or file on the way there, with or without its ending.
pub fn is_of(row: &RunRow, program: Option<&str>) -> bool {
    let Some(program) = program else { return true };
    let part = |part: &str| part == program || part.rsplit_once('.').is_some_and(|(stem, _)| stem == program);
    row.program == program || row.program.split('/').any(part)
}

fn table(rows: &[(RunRow, Option<String>)], colours: bool) -> String {
    let cells = rows.iter().map(|(row, waits)| {
        let word = status_word(row, waits.as_deref());
        let waits = waits.as_deref().map(waits_word).unwrap_or_default();
        let aside = row.quarantine.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let program = one_line(&format!("{}{aside}", row.program));
        [&row.id, word, &one_line(waits), &time_text(row.started), &program].map(str::to_owned)
    });
    let head = ["run", "status", "waits for", "began (UTC)", "program"].map(str::to_owned);
    let lines: Vec<[String; 5]> = std::iter::once(head).chain(cells).collect();
    let waiting = rows.iter().any(|(_, waits)| waits.is_some());
    let width =
        |column: fn(&[String; 5]) -> &String| lines.iter().map(|line| column(line).chars().count()).max().unwrap_or(0);
    let (id, status, waits) = (width(|[id, ..]| id), width(|[_, status, ..]| status), width(|[_, _, waits, ..]| waits));
    let mut out = String::new();
    for (nth, [run, word, reason, began, program]) in lines.iter().enumerate() {
        let colour = match word.as_str() {
            _ if nth == 0 => "",
            "sent" => "32",
            "failed" | "timeout" | "stuck" | "damaged" => "31",
            _ => "33",
        };
        let word = format!("{word:<status$}");
        let word = if colour.is_empty() { word } else { paint(colours, colour, &word) };
        let reason = if waiting { format!("{reason:<waits$}  ") } else { String::new() };
        out.push_str(&format!("{run:<id$}  {word}  {reason}{began:<16}  {program}\n"));
    }
    out
}
