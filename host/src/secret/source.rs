//! Where secrets are: the environment, a file of the project, the keyring of this user, a file of this user.

use super::error::SecretError;
use super::keyring;
use rustix::fs::OFlags;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file of secrets, in bytes.
const MOST: u64 = 1 << 20;
/// The largest secret, in bytes.
pub const MOST_VALUE: usize = 64 << 10;

/// Where a secret was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// A variable of the environment.
    Environment,
    /// The file of the project.
    Project,
    /// The keyring.
    Keyring,
    /// The file of the user.
    File,
}

/// Where secrets are looked for, beside the environment.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// A file of the project with a `NAME=value` a line, when it is named.
    pub env_file: Option<PathBuf>,
    /// Is the keyring asked?
    pub keyring: bool,
    /// The file of this user, which may not be there.
    pub file: Option<PathBuf>,
}

/// Is it a name that a variable of the environment may have?
pub fn check_name(name: &str) -> Result<(), SecretError> {
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    match begins && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && name.len() <= 128 {
        true => Ok(()),
        false => Err(SecretError::Name(name.to_owned())),
    }
}

impl Sources {
    /// The secret of this name, and where it is.
    pub fn find(&self, name: &str) -> Result<Option<(String, Origin)>, SecretError> {
        check_name(name)?;
        let some = |value: Option<String>| value.filter(|value| !value.is_empty());
        if let Some(value) = some(std::env::var(name).ok()) {
            return Ok(Some((value, Origin::Environment)));
        }
        if let Some(path) = &self.env_file
            && let Some(value) = some(read_env(path)?.remove(name))
        {
            return Ok(Some((value, Origin::Project)));
        }
        if self.keyring
            && let Some(value) = some(keyring::get(name)?)
        {
            return Ok(Some((value, Origin::Keyring)));
        }
        if let Some(path) = &self.file
            && let Some(value) = some(read(path)?.remove(name))
        {
            return Ok(Some((value, Origin::File)));
        }
        Ok(None)
    }

    /// The names of all that are kept, but for the environment's.
    pub fn names(&self) -> Result<Vec<(String, Origin)>, SecretError> {
        let of = |names: BTreeMap<String, String>, origin| names.into_keys().map(move |name| (name, origin));
        let mut all = Vec::new();
        if let Some(path) = &self.env_file {
            all.extend(of(read_env(path)?, Origin::Project));
        }
        if self.keyring {
            all.extend(keyring::names()?.into_iter().map(|name| (name, Origin::Keyring)));
        }
        if let Some(path) = &self.file {
            all.extend(of(read(path)?, Origin::File));
        }
        Ok(all)
    }
}

/// The file of a project.
fn read_env(path: &Path) -> Result<BTreeMap<String, String>, SecretError> {
    let wrong = SecretError::file(path, "read");
    let Some(text) = plain(path, false).map_err(&wrong)? else {
        return Err(wrong("there is no such file, and aivm.toml names it: [secrets] env_file".into()));
    };
    // What is wrong with a line may hold the secret: only its kind is told.
    let read = dotenvy::from_read_iter(text.as_bytes()).collect::<Result<_, _>>();
    read.map_err(|_| wrong("a line of it is none: write NAME=value, or NAME=\"value\" where there are spaces".into()))
}

/// The file of a user: TOML, `NAME = "value"`.
fn read(path: &Path) -> Result<BTreeMap<String, String>, SecretError> {
    let wrong = SecretError::file(path, "read");
    let text = plain(path, true).map_err(&wrong)?.unwrap_or_default();
    toml::from_str(&text).map_err(|_| wrong("it is not TOML with a NAME = \"value\" a line".into()))
}

/// The text of a plain file; none: it is not there. `own`: nobody else may read it.
fn plain(path: &Path, own: bool) -> Result<Option<String>, String> {
    let flags = (OFlags::NONBLOCK | if own { OFlags::NOFOLLOW } else { OFlags::empty() }).bits();
    let file = match std::fs::OpenOptions::new().read(true).custom_flags(flags as i32).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| error.to_string())?,
    };
    let about = file.metadata().map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no plain file".into());
    }
    if own && (about.mode() & 0o077 != 0 || about.uid() != rustix::process::getuid().as_raw()) {
        return Err(format!("others may read it: chmod 600 {}", path.display()));
    }
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MOST {
        return Err(format!("it is larger than {} MiB", MOST >> 20));
    }
    Ok(Some(text))
}

/// Keeps a secret in the file of the user, or removes it from there. Was it there before?
pub fn keep(path: &Path, name: &str, value: Option<&str>) -> Result<bool, SecretError> {
    check_name(name)?;
    let mut all = read(path)?;
    let before = match value {
        Some(value) => all.insert(name.to_owned(), value.to_owned()),
        None => all.remove(name),
    };
    if value.is_none() && before.is_none() {
        return Ok(false);
    }
    let wrong = SecretError::file(path, "written");
    let failed = |error: std::io::Error| wrong(error.to_string());
    if let Some(folder) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    let text = toml::to_string(&all).map_err(|error| wrong(error.to_string()))?;
    // Written beside and renamed: whoever reads it has the old one or the new one, whole.
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let write = || {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })?;
    Ok(before.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_of_secrets_is_this_users_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("inner/secrets.toml");
        assert!(!keep(&path, "A", None).expect("nothing there"));
        keep(&path, "A", Some("one \"two\"\n")).expect("kept");
        keep(&path, "B", Some("x")).expect("kept");
        assert_eq!(path.metadata().expect("it").mode() & 0o777, 0o600);
        let sources = Sources { file: Some(path.clone()), ..Sources::default() };
        assert_eq!(sources.find("A").expect("read"), Some(("one \"two\"\n".to_owned(), Origin::File)));
        assert!(keep(&path, "A", None).expect("removed"));
        assert_eq!(sources.names().expect("read"), [("B".to_owned(), Origin::File)]);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("changed");
        let error = sources.find("B").expect_err("refused").to_string();
        assert!(error.starts_with("E0960") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn the_file_of_a_project_is_read_and_never_repeated() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".env");
        let sources = Sources { env_file: Some(path.clone()), ..Sources::default() };
        assert!(sources.find("AIVM_TEST_A").expect_err("none").to_string().contains("env_file"));
        std::fs::write(&path, "# a note\nAIVM_TEST_A='one two'\nexport AIVM_TEST_B=three\n").expect("written");
        assert_eq!(sources.find("AIVM_TEST_A").expect("read"), Some(("one two".to_owned(), Origin::Project)));
        assert_eq!(sources.find("AIVM_TEST_B").expect("read").map(|found| found.0).as_deref(), Some("three"));
        assert_eq!(sources.find("AIVM_TEST_C").expect("read"), None);
        std::fs::write(&path, "AIVM_TEST_A='s3cret\n").expect("written");
        let error = sources.find("AIVM_TEST_A").expect_err("refused").to_string();
        assert!(error.contains("a line of it") && !error.contains("s3cret"), "{error}");
        assert!(sources.find("a-b").expect_err("no name").to_string().starts_with("E0962"));
    }
}
