//! What a server does with a write that is only wanted where there is no object yet. Servers that take the header and ignore it are
//! common, so it is tried, and nothing is ever built on it.

use crate::{Bucket, Content, S3Error};
use futures_util::future::join_all;
use std::fmt;

/// So many write at once.
const WRITERS: usize = 8;

/// What conditional writes do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conditional {
    /// One of many at once is done, and the others are refused.
    Atomic,
    /// A later one is refused, but of those at once several are done.
    Racy,
    /// The condition is ignored: the last one stays.
    Ignored,
    /// Such a request is refused as a whole.
    Refused,
}

impl fmt::Display for Conditional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Conditional::Atomic => "atomic",
            Conditional::Racy => "racy",
            Conditional::Ignored => "ignored",
            Conditional::Refused => "refused",
        })
    }
}

impl Bucket {
    /// Tries it, with an object of that key, which is removed again. Shows as well whether the bucket can be written and read.
    pub async fn probe(&self, key: &str) -> Result<Conditional, S3Error> {
        let content = |text: String| Content {
            media_type: "text/plain".to_owned(),
            checksum: String::new(),
            payload: 0,
            head: text.into(),
            body: bytes::Bytes::new(),
        };
        self.put(key, &content("first".into())).await?;
        let found = async {
            if self.get(key, 64).await?.as_deref() != Some(b"first") {
                return Err(S3Error::Broken { place: self.place.of(key), reason: "it is not what was stored".into() });
            }
            match self.put_if(key, &content("second".into()), true).await {
                Ok(()) => return Ok(Conditional::Ignored),
                Err(error) if error.code() == Some("PreconditionFailed") => {}
                Err(error) if error.code().is_some() => return Ok(Conditional::Refused),
                Err(error) => return Err(error),
            }
            self.remove(&[key.to_owned()]).await?;
            let writes =
                join_all((0..WRITERS).map(async |nth| self.put_if(key, &content(nth.to_string()), true).await)).await;
            let done = writes.iter().filter(|write| write.is_ok()).count();
            Ok(if done == 1 { Conditional::Atomic } else { Conditional::Racy })
        }
        .await;
        self.remove(&[key.to_owned()]).await?;
        found
    }
}
