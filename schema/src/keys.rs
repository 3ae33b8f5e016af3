//! Ed25519 keys: signing artifacts, and whom to trust. Trust comes from a keyring, never from the key inside an object.

use crate::artifact::{Artifact, hex, unhex_array};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What is signed begins with this, so that a signature made for something else is none here.
const DOMAIN: &[u8] = b"aivm artifact v1\0";

/// How a secret key's file begins.
const SECRET_PREFIX: &str = "aivm-secret-key:";

/// A secret key. Not printed, not copied, wiped when dropped.
pub struct SecretKey(SigningKey);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

/// A public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A secret key's file has another form.
    #[error(
        "K0101: not a secret key: one line `aivm-secret-key:` and 64 hexadecimal digits, as `aivm keys new` writes it"
    )]
    NotASecretKey,
    /// Not a point of the curve, or a weak one.
    #[error("K0102: not a public key: 64 hexadecimal digits, as `aivm keys new` prints them")]
    NotAPublicKey,
    /// A line of a keyring has another form.
    #[error("K0103: line {line} of the keyring is not `name key`: {reason}")]
    NotAKeyring {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: Box<KeyError>,
    },
    /// It would not be the same name when the keyring is read again.
    #[error(
        "K0104: no name for a key: 1 to 64 letters, digits and signs of ASCII, without spaces, not beginning with `#`"
    )]
    NotAName,
    /// A key has one name.
    #[error("K0105: this key is trusted already, under the name `{0}`")]
    TrustedAs(String),
}

impl SecretKey {
    /// The key of 32 random bytes that nobody else has.
    pub fn from_random(random: [u8; 32]) -> SecretKey {
        SecretKey(SigningKey::from_bytes(&random))
    }

    /// Its public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The text of its file. Whoever reads it can sign.
    pub fn to_file(&self) -> String {
        format!("{SECRET_PREFIX} {}\n", hex(&self.0.to_bytes()))
    }

    /// The same artifact, signed: the key goes in first, so that the checksum covers it.
    pub fn sign(&self, artifact: &Artifact) -> Artifact {
        artifact.with_signature(&self.public().0, |bytes| self.0.sign(&message(bytes)).to_bytes().to_vec())
    }
}

impl FromStr for SecretKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<SecretKey, KeyError> {
        let digits = text.trim().strip_prefix(SECRET_PREFIX).map(str::trim);
        digits.and_then(unhex_array).map(SecretKey::from_random).ok_or(KeyError::NotASecretKey)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        let bytes = unhex_array(text.trim()).ok_or(KeyError::NotAPublicKey)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotAPublicKey)?;
        if key.is_weak() { Err(KeyError::NotAPublicKey) } else { Ok(PublicKey(bytes)) }
    }
}

fn message(bytes: &[u8]) -> Vec<u8> {
    [DOMAIN, bytes].concat()
}

/// What a signature is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// There is none.
    Unsigned,
    /// It is valid, and the keyring has a name for the key.
    Trusted(String),
    /// It is valid, by a key that the keyring does not have.
    Unknown(PublicKey),
    /// It is not valid.
    Invalid,
}

/// The public keys that are trusted, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keyring {
    names: BTreeMap<PublicKey, String>,
}

impl Keyring {
    /// From its file: a line `name key` each; empty lines and lines that begin with `#` say nothing.
    pub fn parse(text: &str) -> Result<Keyring, KeyError> {
        let mut keyring = Keyring::default();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, key) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let trusted = key.parse().and_then(|key| keyring.trust(name, key));
            trusted.map_err(|reason| KeyError::NotAKeyring { line: at + 1, reason: Box::new(reason) })?;
        }
        Ok(keyring)
    }

    /// Trusts a key under a name. A name may have several keys, old and new; a key has one name.
    ///
    /// Fails when the name would not be read back as itself, or the key has another name.
    pub fn trust(&mut self, name: &str, key: PublicKey) -> Result<(), KeyError> {
        let graphic = name.bytes().all(|byte| byte.is_ascii_graphic());
        if !(1..=64).contains(&name.len()) || !graphic || name.starts_with('#') {
            return Err(KeyError::NotAName);
        }
        match self.names.get(&key) {
            Some(other) if other != name => Err(KeyError::TrustedAs(other.clone())),
            _ => {
                self.names.insert(key, name.to_owned());
                Ok(())
            }
        }
    }

    /// The text of its file.
    pub fn to_file(&self) -> String {
        self.names.iter().map(|(key, name)| format!("{name} {key}\n")).collect()
    }

    /// Names and keys.
    pub fn entries(&self) -> impl Iterator<Item = (&str, PublicKey)> {
        self.names.iter().map(|(key, name)| (name.as_str(), *key))
    }

    /// What an artifact's signature is worth.
    pub fn verify(&self, artifact: &Artifact) -> Trust {
        if artifact.signature().is_empty() {
            return Trust::Unsigned;
        }
        let key: Option<[u8; 32]> = artifact.pubkey().try_into().ok();
        let signature: Option<[u8; 64]> = artifact.signature().try_into().ok();
        let (Some(key), Some(signature)) = (key, signature) else { return Trust::Invalid };
        let Ok(verifying) = VerifyingKey::from_bytes(&key) else { return Trust::Invalid };
        match verifying.verify_strict(&message(&artifact.covered_bytes()), &Signature::from_bytes(&signature)) {
            Ok(()) => match self.names.get(&PublicKey(key)) {
                Some(name) => Trust::Trusted(name.clone()),
                None => Trust::Unknown(PublicKey(key)),
            },
            Err(_) => Trust::Invalid,
        }
    }
}
