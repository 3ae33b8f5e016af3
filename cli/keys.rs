//! `keys`: make a key pair, trust a public key, sign an artifact. Secret keys stay in the user's own folder.

use crate::args::{Global, KeysArgs, KeysCommand};
use crate::fail::{Exit, Failure};
use crate::project;
#[cfg(feature = "store")]
use aivm_schema::keys::Trust;
use aivm_schema::keys::{Keyring, SecretKey};
use aivm_schema::word::is_word;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

fn folder() -> Result<PathBuf, Failure> {
    let folder = project::user_folder()
        .ok_or_else(|| Failure::usage("E0820", "neither HOME nor XDG_CONFIG_HOME says where your keys are"))?;
    Ok(folder.join("keys"))
}

fn failed(what: &str, path: &std::path::Path, error: impl std::fmt::Display) -> Failure {
    Failure::failed("E0821", format!("cannot {what} {}: {error}", path.display()))
}

/// The public keys that this user trusts.
pub fn keyring() -> Result<Keyring, Failure> {
    let path = folder()?.join("trusted");
    match std::fs::read_to_string(&path) {
        Ok(text) => Keyring::parse(&text).map_err(|error| failed("read", &path, error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Keyring::default()),
        Err(error) => Err(failed("read", &path, error)),
    }
}

fn trust(name: &str, key: &str) -> Result<(), Failure> {
    let path = folder()?.join("trusted");
    let mut keyring = keyring()?;
    let key = key.parse().map_err(|error| Failure::usage("E0822", format!("{error}")))?;
    keyring.trust(name, key).map_err(|error| Failure::usage("E0822", format!("{error}")))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed("make", folder, error))?;
    }
    crate::compile::write_whole(&path, keyring.to_file().as_bytes())
}

/// For people.
#[cfg(feature = "store")]
pub fn trust_text(trust: &Trust) -> String {
    match trust {
        Trust::Unsigned => "unsigned".to_owned(),
        Trust::Trusted(name) => format!("signed by {name}"),
        Trust::Unknown(key) => format!("signed by an unknown key {key}"),
        Trust::Invalid => "the signature is INVALID".to_owned(),
    }
}

/// A secret key of this user.
#[cfg(feature = "store")]
pub fn secret(name: &str) -> Result<SecretKey, Failure> {
    let path = folder()?.join(format!("{name}.secret"));
    let text = std::fs::read_to_string(&path)
        .map_err(|error| failed("read", &path, error).help(format!("make it: aivm keys new {name}")))?;
    text.parse().map_err(|error| failed("read", &path, error))
}

fn new(name: &str) -> Result<SecretKey, Failure> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let folder = folder()?;
    let path = folder.join(format!("{name}.secret"));
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| failed("make", &folder, error))?;
    let mut random = [0; 32];
    aivm_host::mint::fill_random(&mut random)
        .map_err(|error| Failure::failed("E0803", format!("no random numbers: {error}")))?;
    let key = SecretKey::from_random(random);
    // Never over a key that is there: what it signed could no longer be signed again.
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(|error| {
            failed("write", &path, error).help("choose another name, or move the key that is there away")
        })?;
    file.write_all(key.to_file().as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| failed("write", &path, error))?;
    Ok(key)
}

/// `aivm keys …`.
pub fn keys(global: &Global, args: &KeysArgs) -> Result<Exit, Failure> {
    let named = |name: &str| match is_word(name) {
        true => Ok(()),
        false => Err(Failure::usage("E0823", format!("`{name}` is no name for a key: letters, digits, `_` and `-`"))),
    };
    match &args.command {
        KeysCommand::New { name } => {
            named(name)?;
            let key = new(name)?;
            trust(name, &key.public().to_string())?;
            if global.json {
                println!("{}", json!({"v": 1, "name": name, "public": key.public().to_string()}));
            } else {
                println!("{name} {}", key.public());
                eprintln!(
                    "the secret half is in {}; others trust you by: aivm keys trust {name} {}",
                    folder()?.display(),
                    key.public()
                );
            }
        }
        KeysCommand::Trust { name, key } => {
            named(name)?;
            trust(name, key)?;
            if global.json {
                println!("{}", json!({"v": 1, "name": name, "public": key}));
            }
        }
        KeysCommand::Ls => {
            let keyring = keyring()?;
            if global.json {
                let keys: Vec<_> =
                    keyring.entries().map(|(name, key)| json!({"name": name, "public": key.to_string()})).collect();
                println!("{}", json!({"v": 1, "trusted": keys}));
            } else {
                print!("{}", keyring.to_file());
            }
        }
        #[cfg(feature = "store")]
        KeysCommand::Sign { artifact, name } => {
            let disk = crate::store::existing()?;
            let artifact = crate::store::find(&disk, artifact)?;
            let signed = secret(name)?.sign(&artifact);
            disk.put(&signed).map_err(|error| crate::fail::coded(&error.to_string()))?;
            match global.json {
                true => println!("{}", json!({"v": 1, "checksum": signed.checksum()})),
                false => println!("{}", signed.checksum()),
            }
        }
        #[cfg(not(feature = "store"))]
        KeysCommand::Sign { .. } => return Err(Failure::no_store()),
    }
    Ok(Exit::SENT)
}
