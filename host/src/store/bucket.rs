//! Values in a bucket: each artifact is an object under its key, each run that ended or waits is an object beside them, with the
//! keys of what it names. What the store on disk sends there, and when, is [`Mirror`]'s.

use crate::store::StoreError;
use aivm_s3::{Bucket, Content, PART, S3Error};
use aivm_schema::artifact::key::{self, Form};
use aivm_schema::artifact::{Artifact, Checksum, json};
use aivm_schema::limits::PAYLOAD;
use bytes::Bytes;

mod gc;
mod look;
mod mirror;
mod runs;

pub use gc::Swept;
pub use look::Look;
pub use mirror::{Left, Mirror, Mode, name};
pub use runs::{FoundRun, Named};

/// The largest object of an artifact: its payload as base64, and what is said of it.
const LARGEST: u64 = PAYLOAD as u64 / 3 * 4 + (16 << 20);

impl From<S3Error> for StoreError {
    fn from(error: S3Error) -> StoreError {
        StoreError::Bucket(error.to_string())
    }
}

/// Artifacts in a bucket, in one of the two forms; those of the other are read, too.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where.
    pub bucket: Bucket,
    /// How artifacts are written.
    pub form: Form,
}

/// An artifact as the body of a request, without a copy.
struct Body(Artifact);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// The key of an artifact's object. One that is signed was made of another with the same id, which is there as well: its name has the
/// beginning of its checksum, too.
fn key_of(artifact: &Artifact, form: Form) -> String {
    let key = key::encode(artifact, form);
    match key.rsplit_once('.') {
        Some((name, end)) if !artifact.pubkey().is_empty() => {
            let sum: String = artifact.checksum().to_string().chars().take(16).collect();
            format!("{name}.{sum}.{end}")
        }
        _ => key,
    }
}

impl Remote {
    /// The object of an artifact.
    fn content(&self, artifact: &Artifact) -> Content {
        let (checksum, payload) = (artifact.checksum().to_string(), artifact.payload().len() as u64);
        match self.form {
            Form::Binary => Content {
                media_type: "application/vnd.aivm.artifact".to_owned(),
                checksum,
                payload,
                head: Bytes::copy_from_slice(&artifact.frame()),
                body: Bytes::from_owner(Body(artifact.clone())),
            },
            Form::Json => Content {
                media_type: "application/json".to_owned(),
                checksum,
                payload,
                head: Bytes::new(),
                body: json::to_json(artifact).to_string().into(),
            },
        }
    }

    /// Stores an artifact. One that is large goes in parts: `known` is the upload that was begun before, `begun` is told of a new one.
    pub async fn put<E: std::fmt::Display>(
        &self,
        artifact: &Artifact,
        known: impl FnOnce() -> Result<Option<String>, E>,
        begun: impl FnOnce(&str) -> Result<(), E>,
    ) -> Result<(), S3Error> {
        let (key, content) = (key_of(artifact, self.form), self.content(artifact));
        if content.len() <= PART {
            return self.bucket.put(&key, &content).await;
        }
        let known = known().map_err(|error| S3Error::Account(error.to_string()))?;
        self.bucket.put_parts(&key, &content, known.as_deref(), begun).await
    }

    /// The artifact of a key; none when there is no object of it. Checked whole.
    pub async fn get(&self, key: &str) -> Result<Option<Artifact>, StoreError> {
        let Some(bytes) = self.bucket.get(key, LARGEST).await? else { return Ok(None) };
        let damaged = |reason: String| {
            StoreError::Bucket(format!("E0872: {key} in {} is no artifact: {reason}", self.bucket.place()))
        };
        let artifact = match key.ends_with(".json") {
            true => {
                let value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
                json::from_json(&value).map_err(|error| damaged(error.to_string()))?
            }
            false => {
                let (artifact, rest) = Artifact::from_framed(&bytes).map_err(|error| damaged(error.to_string()))?;
                if !rest.is_empty() {
                    return Err(damaged("something stands behind it".to_owned()));
                }
                artifact
            }
        };
        // Another artifact, whole in itself, is not what was asked for.
        let form = if key.ends_with(".json") { Form::Json } else { Form::Binary };
        match key_of(&artifact, form) == key {
            true => Ok(Some(artifact)),
            false => Err(damaged("it is another".to_owned())),
        }
    }

    /// The artifact of a key that has this checksum.
    pub async fn get_exactly(&self, key: &str, checksum: Checksum) -> Result<Option<Artifact>, StoreError> {
        match self.get(key).await? {
            Some(artifact) if artifact.checksum() != checksum => {
                Err(StoreError::Bucket(format!("E0872: {key} in {} is another artifact", self.bucket.place())))
            }
            found => Ok(found),
        }
    }
}
