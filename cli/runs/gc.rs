//! `gc`: removes runs that have ended, and what nothing refers to any more.

use crate::args::{GcArgs, Global};
use crate::artifact::time_text;
use crate::config::{Outlive, Project, Retention};
use crate::fail::{Exit, Failure, coded};
use crate::out::one_line;
use crate::out::size_text;
use crate::runs::find;
use crate::store;
use aivm_host::mint::{Clock, SystemClock};
use aivm_host::store::disk::{Collected, Policy};
use aivm_host::store::values::{Keeping, Selection};
use aivm_schema::unit::Milliseconds;
use serde_json::json;

/// `aivm gc`.
pub fn gc(global: &Global, args: &GcArgs) -> Result<Exit, Failure> {
    let disk = store::existing()?;
    let values = args.role.is_some() || args.scope.is_some();
    let told =
        values || args.older_than.is_some() || args.keep.is_some() || !args.status.is_empty() || !args.run.is_empty();
    let mut project = Project::of_the_store()?.gc;
    // Which values outlive their runs is said once, whatever else is asked for.
    let rules = std::mem::take(&mut project.values);
    let Retention { older_than, keep, status, .. } = match told {
        true => {
            Retention { older_than: args.older_than, keep: args.keep, status: args.status.clone(), values: Vec::new() }
        }
        false => project,
    };
    let now = SystemClock.now();
    let before = |age: Milliseconds| now.saturating_sub(age.0.saturating_mul(1_000_000));
    let status = status.into_iter().map(|status| status.word().to_owned()).collect();
    let mut policy = Policy { keep, status, before: older_than.map(before), now, ..Policy::default() };
    let rules = rules.into_iter();
    policy.keeping = rules
        .map(|Outlive { role, scope, older_than }| Keeping { role, scope, since: older_than.map(before) })
        .collect();
    if values {
        let (role, scope) = (args.role.clone(), args.scope.clone());
        policy.values = Some(Selection { role, scope, before: policy.before.take(), ..Selection::default() });
    }
    #[cfg(feature = "s3")]
    if crate::bucket::is_given() {
        policy.runs.clone_from(&args.run);
        return crate::bucket::gc(global, &disk, policy, args.dry_run);
    }
    for prefix in &args.run {
        let row = find::run(&disk, prefix)?;
        if disk.is_carried(&row.id) {
            return Err(Failure::usage(
                "E0785",
                format!("the run {} is under way in another process: it stays", row.id),
            )
            .help(format!("end it first: aivm cancel {}", row.id)));
        }
        policy.runs.push(row.id);
    }
    let collected = disk.collect(&policy, args.dry_run).map_err(|error| coded(&error.to_string()))?;
    let left: Vec<String> = collected.left.iter().map(|(path, error)| format!("{}: {error}", path.display())).collect();
    if global.json {
        let Collected { runs, artifacts, outlive, values, bytes, leftovers, leftover_bytes, free, damaged, .. } =
            &collected;
        let runs: Vec<_> = runs.iter().map(|row| &row.id).collect();
        println!(
            "{}",
            json!({
                "v": 1, "dry_run": args.dry_run, "runs": runs, "artifacts": artifacts, "values": values,
                "outlive": outlive, "bytes": bytes,
                "leftovers": leftovers, "leftover_bytes": leftover_bytes, "free": free, "damaged": damaged, "left": left,
            })
        );
    } else {
        print!("{}", text(&collected, args.dry_run));
    }
    match left.first() {
        None => Ok(Exit::SENT),
        Some(_) if global.json => Ok(Exit::STORE),
        Some(first) => {
            let more = if left.len() > 1 { format!(", and {} more", left.len() - 1) } else { String::new() };
            Err(Failure::failed("E0786", format!("not everything could be removed: {first}{more}"))
                .help("make it writable, then: aivm gc"))
        }
    }
}

fn text(collected: &Collected, dry: bool) -> String {
    let mut out = String::new();
    if dry {
        for row in &collected.runs {
            out.push_str(&format!(
                "{}  {}  {}  {}\n",
                row.id,
                row.status,
                time_text(row.started),
                one_line(&row.program)
            ));
        }
    }
    let count = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let verb = if dry { "would be removed" } else { "removed" };
    let runs = collected.runs.len() as u64;
    out.push_str(&format!(
        "{verb}: {}, {}, {}\n",
        count(runs, "run"),
        count(collected.artifacts + collected.values, "artifact"),
        size_text(collected.bytes)
    ));
    if collected.outlive > 0 {
        out.push_str(&format!(
            "{} kept though the run goes: aivm.toml says so, or they do\n",
            count(collected.outlive, "value")
        ));
    }
    if collected.leftovers > 0 {
        let bytes = size_text(collected.leftover_bytes);
        out.push_str(&format!("and {} that nothing refers to, {bytes}\n", count(collected.leftovers, "leftover")));
    }
    if collected.damaged > 0 {
        let rows = count(collected.damaged, "row");
        out.push_str(&format!(
            "large values stay: {rows} of the store cannot be read whole (aivm verify RUN says whose)\n"
        ));
    }
    if collected.free >= 1 << 20 {
        out.push_str(&format!("{} in the database are free for the next runs\n", size_text(collected.free)));
    }
    out
}
