//! `export`, `import`, `verify`: a run as one file, and whether a run is what it was.

use crate::args::{ExportArgs, Global, ImportArgs, VerifyArgs};
use crate::fail::{Exit, Failure, coded};
use crate::runs::find;
use crate::{compile, keys, project};
use aivm_host::mint::Mint;
use aivm_host::portable::{self, Portable, PortableError, SEAL};
use aivm_host::recovery::From;
use aivm_host::store::disk::{Disk, Kept};
use aivm_schema::artifact::{Artifact, Checksum, Draft};
use aivm_schema::journal::Record;
use aivm_schema::keys::{Keyring, Trust};
use serde_json::json;
use std::collections::BTreeSet;

fn failed(error: PortableError) -> Failure {
    coded(&error.to_string())
}

fn kept(disk: &Disk, prefix: &str) -> Result<(String, Kept), Failure> {
    let row = find::run(disk, prefix)?;
    let kept = disk.look(&row.id).map_err(|error| coded(&error.to_string()))?;
    kept.map(|kept| (row.id, kept)).ok_or_else(|| Failure::usage("E0812", format!("no run is called {prefix}")))
}

/// `aivm export RUN`.
pub fn export(global: &Global, args: &ExportArgs) -> Result<Exit, Failure> {
    let disk = crate::store::existing()?;
    let (run, kept) = kept(&disk, &args.run)?;
    let secret = args.sign.as_deref().map(keys::secret).transpose()?;
    let mint = Mint::system().map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    let seal = |digest: [u8; 32]| {
        let draft = Draft {
            media_type: SEAL.to_owned(),
            origin: "aivm".to_owned(),
            role: "seal".to_owned(),
            scope: "run".to_owned(),
            attributes: vec![("run".to_owned(), run.clone())],
            payload: digest.to_vec(),
        };
        Some(secret.as_ref()?.sign(&mint.seal(draft).ok()?))
    };
    let mut bytes = Vec::new();
    portable::export(&kept, &mut bytes, seal).map_err(failed)?;
    let file = args.output.clone().unwrap_or_else(|| format!("{run}.aivmrun").into());
    if file.as_os_str() == "-" {
        crate::out::bytes(&bytes);
        return Ok(Exit::SENT);
    }
    compile::write_whole(&file, &bytes)?;
    match global.json {
        true => println!("{}", json!({"v": 1, "run": run, "file": file, "size": bytes.len()})),
        false => eprintln!("{}: {} bytes", file.display(), bytes.len()),
    }
    Ok(Exit::SENT)
}

/// `aivm import FILE`.
pub fn import(global: &Global, args: &ImportArgs) -> Result<Exit, Failure> {
    let portable = read(&args.file)?;
    let (run, ended) = (portable.started.run.clone(), portable.has_ended());
    let disk = crate::store::open()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| Failure::failed("E0805", format!("no event loop: {error}")))?;
    runtime.block_on(portable.import(&disk)).map_err(failed)?;
    match global.json {
        true => println!("{}", json!({"v": 1, "run": run, "ended": ended})),
        false => {
            println!("{run}");
            if !ended {
                eprintln!(
                    "it has not ended: it can be shown, verified and forked here, and goes on where it came from"
                );
            }
        }
    }
    Ok(Exit::SENT)
}

fn read(file: &str) -> Result<Portable, Failure> {
    crate::load::is_a_file(file)?;
    Portable::from_bytes(&project::read_any(file)?).map_err(failed)
}

/// What was looked at.
struct Verified {
    run: String,
    status: String,
    records: u64,
    artifacts: usize,
    head: Checksum,
    signed: Vec<String>,
}

/// `aivm verify RUN|FILE`.
pub fn verify(global: &Global, args: &VerifyArgs) -> Result<Exit, Failure> {
    let keyring = keys::keyring()?;
    let verified =
        if args.run.ends_with(".aivmrun") { of_file(&args.run, &keyring)? } else { of_run(&args.run, &keyring)? };
    let Verified { run, status, records, artifacts, head, signed } = verified;
    if global.json {
        let object = json!({
            "v": 1, "run": run, "status": status, "records": records, "artifacts": artifacts, "head": head, "signed": signed,
        });
        println!("{object}");
        return Ok(Exit::SENT);
    }
    println!("{run}: {status}, {records} records and {artifacts} artifacts are what was written");
    println!("head {head}");
    for signed in &signed {
        println!("{signed}");
    }
    if signed.is_empty() {
        println!("nobody has signed it: whoever could write the store could have written another");
    }
    Ok(Exit::SENT)
}

fn of_file(file: &str, keyring: &Keyring) -> Result<Verified, Failure> {
    let portable = read(file)?;
    let mut signed = BTreeSet::new();
    for artifact in portable.artifacts.iter().chain(&portable.seal) {
        note(artifact, keyring, &mut signed)?;
    }
    Ok(Verified {
        run: portable.started.run.clone(),
        status: portable.status.word().to_owned(),
        records: portable.records.len() as u64,
        artifacts: portable.artifacts.len(),
        head: Checksum(portable.head.0),
        signed: signed.into_iter().collect(),
    })
}

/// Reads everything, tells the records to the program again, and looks at every artifact that they name.
fn of_run(prefix: &str, keyring: &Keyring) -> Result<Verified, Failure> {
    let disk = crate::store::existing()?;
    let (run, kept) = kept(&disk, prefix)?;
    let store = |error: aivm_host::store::StoreError| coded(&error.to_string());
    let (mut signed, mut seen, mut records) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut journal = kept.journal().map_err(store)?;
    while let Some((seq, bytes)) = journal.record().map_err(store)? {
        let record = Record::from_bytes(&bytes).map_err(|error| failed(error.into()))?;
        let mut open: Vec<Checksum> = portable::named(&record.body);
        while let Some(checksum) = open.pop() {
            if !seen.insert(checksum.0) {
                continue;
            }
            let artifact = kept.find(checksum).map_err(store)?;
            let artifact = artifact.ok_or_else(|| failed(PortableError::Missing { seq, checksum }))?;
            open.extend(portable::members(&artifact).map_err(|error| failed(error.into()))?);
            note(&artifact, keyring, &mut signed)?;
        }
        records = seq;
    }
    let head = Checksum(journal.link().0);
    let recovered = find::look(&disk, &run, From::Start)?;
    let status = match &recovered.end {
        Some(end) => aivm_vm::run::Status::of(end).word().to_owned(),
        None => kept.row().map(|row| row.status.clone()).unwrap_or_default(),
    };
    Ok(Verified { run, status, records, artifacts: seen.len(), head, signed: signed.into_iter().collect() })
}

/// What a signature is worth.
fn note(artifact: &Artifact, keyring: &Keyring, signed: &mut BTreeSet<String>) -> Result<(), Failure> {
    let what = if artifact.media_type() == SEAL { "the run" } else { "an artifact" };
    match keyring.verify(artifact) {
        Trust::Unsigned => {}
        Trust::Invalid => {
            return Err(Failure::failed("E0782", format!("the signature of {} is not its own", artifact.checksum())));
        }
        trust => drop(signed.insert(format!("{what} is {}", keys::trust_text(&trust)))),
    }
    Ok(())
}
