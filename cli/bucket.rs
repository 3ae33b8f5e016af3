//! The bucket that values go to: which one, what sends them there while a command works, runs that are only there. And `aivm store`.

use crate::args::{Args, Command, Global, StoreArgs, StoreCommand, Stored};
use crate::artifact::time_text;
use crate::config::{Project, StoreFormat, StoreMode};
use crate::fail::{Exit, Failure, coded, failed};
use crate::out::size_text;
use aivm_host::mint::{Clock, SystemClock, fill_random};
use aivm_host::portable::PortableError;
use aivm_host::store::bucket::{Left, Look, Mirror, Mode, Remote, name};
use aivm_host::store::disk::{Disk, Policy};
use aivm_host::store::values::Values;
use aivm_host::store::{RunRow, StoreError};
use aivm_s3::{Bucket, Place, Settings, Upload};
use aivm_schema::artifact::key::Form;
use serde_json::json;
use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// So long a command that is done waits while nothing goes on; what is left then is sent another time.
const PATIENCE: Duration = Duration::from_secs(10);
/// And `aivm store sync`.
const SYNC_PATIENCE: Duration = Duration::from_secs(60);

/// So long `aivm store status` waits for the server.
const ANSWER: Duration = Duration::from_secs(30);

/// An upload in parts, or a list of keys, that is younger may be somebody's who is at it: in seconds.
const STALE: i64 = 86_400;

/// Where values go, and how.
#[derive(Clone, Debug)]
struct Wanted {
    place: Place,
    settings: Settings,
    form: Form,
    mode: Mode,
    /// By the command line or the environment.
    given: bool,
}

/// The bucket of this process; none: values stay on disk.
static WANTED: OnceLock<Option<Wanted>> = OnceLock::new();
/// Does this command write, and so send?
static SENDS: OnceLock<bool> = OnceLock::new();
/// What sends, and the store that it follows.
static MIRROR: Mutex<Option<(Disk, Mirror)>> = Mutex::new(None);

/// Notes which bucket is wanted: the flag over `AIVM_STORE` over `[store]`. A flag that is no place is an error at once; settings are
/// told of by whoever needs them.
pub fn want(args: &Args) -> Result<(), Failure> {
    use Stored::{Approve, Artifact, Cancel, Fork, Import, Resume, Rollback, Settle, Upgrade};
    let sends = match &args.command {
        Command::Run(_) | Command::Try(_) | Command::Mcp(_) | Command::Openai(_) => true,
        Command::Stored(
            Approve(_) | Artifact(_) | Cancel(_) | Fork(_) | Import(_) | Resume(_) | Rollback(_) | Settle(_)
            | Upgrade(_),
        ) => true,
        Command::Stored(Stored::Store(args)) => matches!(args.command, StoreCommand::Sync { .. }),
        _ => false,
    };
    let _ = SENDS.set(sends);
    let variable = std::env::var("AIVM_STORE").ok().filter(|url| !url.is_empty());
    let given = args.global.store.clone().or(variable);
    let looks = matches!(args.command, Command::Stored(_));
    if given.is_none() && !sends && !looks {
        return Ok(());
    }
    let only_looks = given.is_none() && !sends;
    let wanted = match wanted(given) {
        // What is on disk can be looked at all the same.
        Err(_) if only_looks => None,
        wanted => wanted?,
    };
    let _ = WANTED.set(wanted);
    Ok(())
}

fn wanted(given: Option<String>) -> Result<Option<Wanted>, Failure> {
    let project = Project::of_the_store()?;
    let store = project.store;
    let is_given = given.is_some();
    let Some(url) = given.or(store.url) else { return Ok(None) };
    let place = Place::parse(&url).map_err(|error| coded(&error.to_string()))?;
    let variable = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
    let endpoint = store.endpoint.or_else(|| variable("AWS_ENDPOINT_URL_S3")).or_else(|| variable("AWS_ENDPOINT_URL"));
    if let Some(endpoint) = &endpoint
        && !["http://", "https://"].iter().any(|scheme| endpoint.len() > scheme.len() && endpoint.starts_with(scheme))
    {
        let wrong = format!("the endpoint `{endpoint}` is no address of a server");
        return Err(Failure::usage("E0870", wrong).help("it begins with http:// or https://, and a host comes next"));
    }
    let settings = Settings { endpoint, region: store.region, profile: store.profile, path_style: store.path_style };
    let form = match store.format {
        StoreFormat::Binary => Form::Binary,
        StoreFormat::Json => Form::Json,
    };
    let mode = match store.mode {
        StoreMode::Behind => Mode::Behind,
        StoreMode::Through => Mode::Through,
    };
    Ok(Some(Wanted { place, settings, form, mode, given: is_given }))
}

/// Is there a bucket?
pub fn is_wanted() -> bool {
    matches!(WANTED.get(), Some(Some(_)))
}

/// Was one named by the command line or the environment?
pub fn is_given() -> bool {
    matches!(WANTED.get(), Some(Some(wanted)) if wanted.given)
}

/// The store that is followed already: what is written to another that is opened on it would not be heard of at once.
pub fn followed() -> Option<Disk> {
    let mirror = MIRROR.lock().unwrap_or_else(PoisonError::into_inner);
    mirror.as_ref().map(|(disk, _)| disk.clone())
}

/// From now on what this command writes to the store is sent, when there is a bucket.
pub fn follow(disk: &Disk) -> Result<(), Failure> {
    let Some(Some(wanted)) = WANTED.get().filter(|_| SENDS.get() == Some(&true)) else { return Ok(()) };
    let mirror = &mut *MIRROR.lock().unwrap_or_else(PoisonError::into_inner);
    if mirror.is_none() && !disk.is_readonly() {
        let Wanted { place, settings, form, mode, .. } = wanted.clone();
        let started = Mirror::start(disk, place, settings, form, mode);
        *mirror = Some((disk.clone(), started.map_err(|error| coded(&error.to_string()))?));
    }
    Ok(())
}

/// What is still to be sent is sent, as long as that goes on; what is left is told of.
///
/// Where nothing counts before it is in the bucket, a command is no success that leaves something.
pub fn settle(exit: Exit) -> Exit {
    let mirror = MIRROR.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((_, mirror)) = mirror else { return exit };
    let left = match mirror.finish(PATIENCE) {
        Ok(left) => left_text(&left).map(|text| format!("{text}: send it later: aivm store sync")),
        Err(error) => Some(error.to_string()),
    };
    let Some(left) = left else { return exit };
    eprintln!("{left}");
    let through = matches!(WANTED.get(), Some(Some(Wanted { mode: Mode::Through, .. })));
    if through && exit == Exit::SENT { Exit::STORE } else { exit }
}

/// What was not sent, and why.
fn left_text(left: &Left) -> Option<String> {
    let Left { standing, trouble } = left;
    if standing.artifacts == 0 && standing.runs == 0 {
        return None;
    }
    let what = format!(
        "not in the bucket yet: {} ({}) and {}",
        counted(standing.artifacts, "artifact"),
        size_text(standing.bytes),
        counted(standing.runs, "run")
    );
    Some(trouble.as_ref().map_or(what.clone(), |trouble| format!("{what}: {trouble}")))
}

fn counted(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))
}

async fn remote(wanted: &Wanted) -> Remote {
    Remote { bucket: Bucket::open(wanted.place.clone(), &wanted.settings).await, form: wanted.form }
}

/// The values of the bucket, to look at, when the command line or the environment names one: what settings name is here as well.
pub fn values() -> Result<Option<Look>, Failure> {
    match WANTED.get() {
        Some(Some(wanted)) if wanted.given => {
            let runtime = runtime()?;
            let remote = runtime.block_on(remote(wanted));
            Ok(Some(Look::new(remote, runtime)))
        }
        _ => Ok(None),
    }
}

/// Brings the run of this name from the bucket into the store; none when there is no bucket, or no such run in it.
pub fn fetch(disk: &Disk, run: &str) -> Result<Option<RunRow>, Failure> {
    let Some(Some(wanted)) = WANTED.get() else { return Ok(None) };
    if disk.is_readonly() {
        return Ok(None);
    }
    let fetched = runtime()?.block_on(async {
        let remote = remote(wanted).await;
        let runs = remote.runs().await?;
        let mut fitting = runs.iter().filter(|found| found.run.starts_with(run));
        let whole = runs.iter().find(|found| found.run == run);
        let found = match (whole, fitting.next(), fitting.next()) {
            (Some(found), ..) | (None, Some(found), None) => found,
            _ => return Ok(None),
        };
        // Says so when two stores gave that name.
        let Some(found) = remote.run(&found.run).await? else { return Ok(None) };
        let portable = remote.fetch(&found).await?;
        portable.import(disk).await.map_err(|error| match error {
            PortableError::Store(error) => error,
            error => StoreError::Bucket(error.to_string()),
        })?;
        disk.run(&found.run)
    });
    fetched.map_err(|error| failed(&error.to_string()))
}

/// `aivm gc` in a bucket: runs that are sealed there, values that no run names, uploads that nobody goes on with.
pub fn gc(global: &Global, disk: &Disk, mut policy: Policy, dry: bool) -> Result<Exit, Failure> {
    let Some(Some(wanted)) = WANTED.get() else { return Ok(Exit::SENT) };
    let error = |error: StoreError| failed(&error.to_string());
    let bucket = disk.bucket(&name(&wanted.place, &wanted.settings, wanted.form)).map_err(error)?;
    let stale = (SystemClock.now() / 1_000_000_000) as i64 - STALE;
    let (mut values, mut value_bytes) = (Vec::new(), 0);
    if let (Some(selection), Some(look)) = (policy.values.take(), self::values()?) {
        values = selection.leaving(&look, policy.now).map_err(error)?;
        value_bytes = values.iter().map(|entry| entry.size).sum();
        if !dry {
            look.remove(&values).map_err(error)?;
        }
    }
    // What this store cannot say it goes on with, it might.
    let known = |upload: &Upload| disk.goes_on_with(bucket, &upload.id).unwrap_or(true);
    let swept = runtime()?.block_on(async { remote(wanted).await.collect(&policy, stale, known, dry).await });
    let swept = swept.map_err(error)?;
    let (artifacts, bytes) = (swept.artifacts + values.len() as u64, swept.bytes + value_bytes);
    if global.json {
        let runs: Vec<_> = swept.runs.iter().map(|run| &run.run).collect();
        let uploads: Vec<_> = swept.uploads.iter().map(|upload| &upload.key).collect();
        let values: Vec<_> = values.iter().map(|entry| &entry.key).collect();
        println!(
            "{}",
            json!({
                "v": 1, "dry_run": dry, "runs": runs, "artifacts": artifacts, "values": values, "bytes": bytes,
                "leftovers": swept.leftovers, "uploads": uploads,
            })
        );
        return Ok(Exit::SENT);
    }
    if dry {
        for run in &swept.runs {
            println!("{}  {}", run.run, time_text(run.at.max(0) as u64 * 1_000_000_000));
        }
        values.iter().for_each(|entry| println!("{}", entry.key));
        swept.uploads.iter().for_each(|upload| println!("{}  an upload that nobody goes on with", upload.key));
    }
    println!(
        "{}: {}, {}, {}, {}",
        if dry { "would be removed" } else { "removed" },
        counted(swept.runs.len() as u64, "run"),
        counted(artifacts, "artifact"),
        size_text(bytes),
        counted(swept.leftovers + swept.uploads.len() as u64, "leftover")
    );
    Ok(Exit::SENT)
}

/// `aivm store …`.
pub fn store(global: &Global, args: &StoreArgs) -> Result<Exit, Failure> {
    let none = || {
        Failure::usage("E0876", "no bucket is set: values stay in .aivm alone")
            .help("say which: --store s3://BUCKET/PREFIX, or url in [store] of aivm.toml")
    };
    let wanted = WANTED.get().cloned().flatten().ok_or_else(none)?;
    match args.command {
        StoreCommand::Status => status(global, &wanted),
        StoreCommand::Sync { all } => sync(global, &wanted, all),
        StoreCommand::Runs => runs(global, &wanted),
    }
}

fn status(global: &Global, wanted: &Wanted) -> Result<Exit, Failure> {
    let disk = crate::store::open()?;
    let error = |error: StoreError| coded(&error.to_string());
    let bucket = disk.bucket(&name(&wanted.place, &wanted.settings, wanted.form)).map_err(error)?;
    let mut standing = disk.standing(bucket).map_err(error)?;
    // Asked once: what a server does of conditional writes it goes on doing. And that it answers is seen each time.
    let known = standing.conditional.is_some();
    let ask = async {
        let bucket = remote(wanted).await.bucket;
        if known {
            return bucket.list("runs/", "", 1).await.map(|_| None).map_err(StoreError::from);
        }
        let mut random = [0; 8];
        fill_random(&mut random).map_err(|error| StoreError::Bucket(format!("E0803: no random numbers: {error}")))?;
        let key = format!("probe-{:016x}", u64::from_le_bytes(random));
        Ok(Some(bucket.probe(&key).await?.to_string()))
    };
    let silent = |_| Err(StoreError::Bucket(format!("E0871: {} has not answered for {ANSWER:?}", wanted.place)));
    let asked: Result<Option<String>, StoreError> =
        runtime()?.block_on(async { tokio::time::timeout(ANSWER, ask).await.unwrap_or_else(silent) });
    let reached = asked.map(|found| {
        if let Some(found) = found {
            standing.conditional = Some(found.clone());
            // It is found out again.
            let _ = disk.set_conditional(bucket, &found);
        }
    });
    let trouble = reached.err().map(|error| error.to_string());
    let conditional = standing.conditional.clone();
    let mode = match wanted.mode {
        Mode::Behind => "behind",
        Mode::Through => "through",
    };
    if global.json {
        let object = json!({
            "v": 1, "store": wanted.place.to_string(), "endpoint": wanted.settings.endpoint, "mode": mode, "format": wanted.form.extension(),
            "artifacts": standing.artifacts, "bytes": standing.bytes, "runs": standing.runs, "uploads": standing.uploads,
            "conditional_writes": conditional, "trouble": trouble,
        });
        println!("{object}");
    } else {
        println!("{}", name(&wanted.place, &wanted.settings, wanted.form));
        println!("mode          {mode}");
        println!(
            "to be sent    {} ({}), {}",
            counted(standing.artifacts, "artifact"),
            size_text(standing.bytes),
            counted(standing.runs, "run")
        );
        if standing.uploads > 0 {
            println!("in parts      {} begun", counted(standing.uploads, "upload"));
        }
        if let Some(conditional) = conditional {
            println!("conditional   writes are {conditional} there; nothing depends on them");
        }
    }
    match trouble {
        None => Ok(Exit::SENT),
        Some(_) if global.json => Ok(Exit::FAILED),
        Some(trouble) => Err(failed(&trouble)),
    }
}

fn sync(global: &Global, wanted: &Wanted, all: bool) -> Result<Exit, Failure> {
    let error = |error: StoreError| failed(&error.to_string());
    if all {
        let disk = Disk::open(&crate::project::state_folder()).map_err(error)?;
        let bucket = disk.bucket(&name(&wanted.place, &wanted.settings, wanted.form)).map_err(error)?;
        disk.send_again(bucket).map_err(error)?;
    }
    let disk = crate::store::open()?;
    let mirror = MIRROR.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((_, mirror)) = mirror else {
        return Err(Failure::usage("E0874", "the store may not be written: what was sent could not be noted"));
    };
    let last = disk.last_row().map_err(error)?;
    let mut progress = mirror.progress();
    let shown = std::io::stderr().is_terminal() && !global.json;
    let show = std::thread::spawn(move || {
        let Ok(runtime) = runtime() else { return };
        runtime.block_on(async {
            while shown && progress.changed().await.is_ok() {
                let now = progress.borrow_and_update().clone();
                let trouble = now.trouble.map_or(String::new(), |trouble| format!(": {trouble}"));
                eprint!("\r\x1b[2K{} of {last}{trouble}", now.row.min(last));
            }
            if shown {
                eprint!("\r\x1b[2K");
            }
        });
    });
    let left = mirror.finish(SYNC_PATIENCE).map_err(error)?;
    let _ = show.join();
    let text = left_text(&left);
    if global.json {
        let Left { standing, trouble } = &left;
        println!(
            "{}",
            json!({"v": 1, "artifacts": standing.artifacts, "bytes": standing.bytes, "runs": standing.runs, "trouble": trouble})
        );
    }
    match text {
        None if !global.json => println!("everything is there"),
        None => {}
        Some(_) if global.json => return Ok(Exit::FAILED),
        Some(text) => return Err(Failure::failed("E0874", text)),
    }
    Ok(Exit::SENT)
}

fn runs(global: &Global, wanted: &Wanted) -> Result<Exit, Failure> {
    let runs = runtime()?.block_on(async { remote(wanted).await.runs().await });
    let runs = runs.map_err(|error| failed(&error.to_string()))?;
    if global.json {
        let rows: Vec<_> = runs
            .iter()
            .map(|found| json!({"run": found.run, "records": found.seq, "size": found.size, "sealed": found.at}))
            .collect();
        println!("{}", json!({"v": 1, "runs": rows}));
        return Ok(Exit::SENT);
    }
    println!("{:<24}  {:>8}  {:>8}  sealed (UTC)", "run", "records", "size");
    for found in runs {
        let at = time_text(found.at.max(0) as u64 * 1_000_000_000);
        println!("{:<24}  {:>8}  {:>8}  {at}", found.run, found.seq, size_text(found.size));
    }
    Ok(Exit::SENT)
}
