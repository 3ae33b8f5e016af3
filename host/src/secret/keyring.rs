//! The keyring of this user, by the program that desktops bring for it: `secret-tool`, of libsecret. A value goes to it and
//! comes from it over a pipe, never on a command line. A library that speaks to the secret service itself brings 56 packages.

use super::error::SecretError;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PROGRAM: &str = "secret-tool";
/// Under which name all of ours are kept.
const SERVICE: [&str; 2] = ["service", "aivm"];
/// A keyring that is locked asks its user.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(5);
/// So much of what it prints is read, in bytes.
const MOST_PRINTED: u64 = 8 << 20;

/// Is there one? It needs a session of a desktop.
pub fn is_there() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        && std::env::split_paths(&path).any(|folder| folder.join(PROGRAM).is_file())
}

/// A secret.
pub fn get(name: &str) -> Result<Option<String>, SecretError> {
    if !is_there() {
        return Ok(None);
    }
    let output = call(&["lookup", SERVICE[0], SERVICE[1], "name", name], None)?;
    match (output.status.success(), output.stderr.is_empty()) {
        (true, _) => {
            let value = String::from_utf8(output.stdout);
            value.map(Some).map_err(|_| SecretError::Keyring(format!("`{name}` is no text")))
        }
        // Nothing is said of what is not there.
        (false, true) => Ok(None),
        (false, false) => Err(said(&output)),
    }
}

/// Keeps one.
pub fn set(name: &str, value: &str) -> Result<(), SecretError> {
    let label = format!("--label=aivm {name}");
    let output = call(&["store", &label, SERVICE[0], SERVICE[1], "name", name], Some(value))?;
    if output.status.success() { Ok(()) } else { Err(said(&output)) }
}

/// Removes one. Was it there?
pub fn remove(name: &str) -> Result<bool, SecretError> {
    if get(name)?.is_none() {
        return Ok(false);
    }
    let output = call(&["clear", SERVICE[0], SERVICE[1], "name", name], None)?;
    if output.status.success() { Ok(true) } else { Err(said(&output)) }
}

/// The names of those that are kept.
pub fn names() -> Result<Vec<String>, SecretError> {
    if !is_there() {
        return Ok(Vec::new());
    }
    let output = call(&["search", "--all", SERVICE[0], SERVICE[1]], None)?;
    // Attributes are on one of the two, by its version.
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let named = text.lines().filter_map(|line| line.strip_prefix("attribute.name = "));
    let mut names: Vec<String> = named.map(|name| name.trim().to_owned()).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn said(output: &Output) -> SecretError {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it says nothing more");
    SecretError::Keyring(format!("{PROGRAM}: {said}"))
}

fn call(args: &[&str], input: Option<&str>) -> Result<Output, SecretError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => SecretError::Keyring(format!(
            "there is no {PROGRAM} here (libsecret-tools): use the environment, [secrets] env_file in aivm.toml, or aivm secret set --file"
        )),
        _ => SecretError::Keyring(format!("{PROGRAM}: {error}")),
    };
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut command = Command::new(PROGRAM);
    let mut child =
        command.args(args).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // One that has ended says why itself.
        let _ = stdin.write_all(input.as_bytes());
    }
    // Read meanwhile: a pipe that is full would be waited for.
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if began.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return Err(SecretError::Keyring(format!("{PROGRAM} did not answer: is the keyring locked?")));
        }
        std::thread::sleep(LOOK);
    };
    Ok(Output { status, stdout: stdout.join().unwrap_or_default(), stderr: stderr.join().unwrap_or_default() })
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(MOST_PRINTED).read_to_end(&mut bytes);
        }
        bytes
    })
}
