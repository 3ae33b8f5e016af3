//! Objects in an S3 bucket, under a prefix: of Amazon, or of any server that speaks its protocol. Nothing of artifacts and runs is
//! known here; what is stored under which key is the business of who asks.
#![forbid(unsafe_code)]
// I/O is what this crate does.
#![allow(clippy::disallowed_methods)]

mod error;
mod multipart;
mod place;
mod probe;

/// The client's own crate, for what is compared with this one.
pub use aws_sdk_s3 as sdk;
pub use error::S3Error;
pub use multipart::{PART, Upload};
pub use place::{KEY, Place, Settings};
pub use probe::Conditional;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Region, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A request that is refused for a moment is sent so often in all.
const TRIES: u32 = 5;
/// So long a connection may take to be there, and a part of a body to come.
const CONNECT: Duration = Duration::from_secs(5);
/// So many objects are removed at once.
const AT_ONCE: usize = 32;
/// The names, in an object's metadata, of what its content is known by, and of how large that is which matters of it.
const CHECKSUM: &str = "checksum";
const SIZE: &str = "payload-size";

/// A bucket, and the prefix under which this client sees it. Cloning shares the connections.
#[derive(Clone, Debug)]
pub struct Bucket {
    client: Client,
    place: Place,
    stored: Arc<AtomicU64>,
}

/// What an object says of itself, and its content: two pieces, one behind the other, so that a head needs no copy of what follows.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its media type.
    pub media_type: String,
    /// What the content is known by, in hexadecimal.
    pub checksum: String,
    /// So many bytes of it matter: an artifact's payload.
    pub payload: u64,
    /// What it begins with.
    pub head: Bytes,
    /// The rest.
    pub body: Bytes,
}

impl Content {
    /// In bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Nothing at all?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A range of the bytes; copied only where it is of both pieces.
    fn part(&self, from: usize, to: usize) -> Bytes {
        let head = self.head.len();
        if from >= head {
            return self.body.slice(from - head..to - head);
        }
        let mut bytes = Vec::with_capacity(to - from);
        bytes.extend(self.head.iter().skip(from).take(to - from));
        bytes.extend_from_slice(&self.body.slice(..to.saturating_sub(head)));
        bytes.into()
    }
}

/// An object, as a listing or a question shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its key, without the prefix.
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// So many of them matter, when it says so; listings do not.
    pub payload: Option<u64>,
    /// When it was written last: Unix seconds, by the server's clock.
    pub modified: i64,
    /// What its content is known by, when it says so; listings do not.
    pub checksum: Option<String>,
}

impl Bucket {
    /// Looks for credentials as every client of AWS does (environment, profiles, SSO, processes, the machine's role), and asks
    /// nothing of the server yet.
    pub async fn open(place: Place, settings: &Settings) -> Bucket {
        use aws_smithy_http_client::tls;
        let https = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .build_https();
        let mut found = aws_config::defaults(aws_config::BehaviorVersion::latest()).http_client(https);
        if let Some(region) = &settings.region {
            found = found.region(Region::new(region.clone()));
        }
        if let Some(profile) = &settings.profile {
            found = found.profile_name(profile);
        }
        if let Some(endpoint) = &settings.endpoint {
            found = found.endpoint_url(endpoint);
        }
        let found = found.load().await;
        // Servers of one's own have one host for all buckets.
        let own = found.endpoint_url().is_some();
        let mut config = aws_sdk_s3::config::Builder::from(&found)
            .force_path_style(settings.path_style.unwrap_or(own))
            // Many servers know none of the newer sums, and what is stored has its own.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES))
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(CONNECT * 6).build())
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().grace_period(CONNECT * 4).build());
        if found.region().is_none() {
            config = config.region(Region::new(place::REGION));
        }
        Bucket { client: Client::from_conf(config.build()), place, stored: Arc::default() }
    }

    /// Which.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// So many objects, and parts of such, this client and its clones have stored.
    pub fn stored(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// The client itself, for what is compared with it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Stores an object, in one request or in parts: it is there as a whole or not at all when this is interrupted.
    pub async fn put(&self, key: &str, content: &Content) -> Result<(), S3Error> {
        if content.len() > PART {
            return self.put_parts(key, content, None, |_| Ok::<_, S3Error>(())).await;
        }
        self.put_if(key, content, false).await
    }

    /// Stores a small object; when asked, only where there is none. What a server does of that, [`Bucket::probe`] says.
    async fn put_if(&self, key: &str, content: &Content, none: bool) -> Result<(), S3Error> {
        let put = self
            .client
            .put_object()
            .bucket(&self.place.bucket)
            .key(self.place.key(key))
            .content_type(&content.media_type)
            .metadata(CHECKSUM, &content.checksum)
            .metadata(SIZE, content.payload.to_string())
            .set_if_none_match(none.then(|| "*".to_owned()))
            .body(ByteStream::from(content.part(0, content.len())));
        let put = put.send().await.map_err(|error| self.error("storing", key, error))?;
        self.tagged(key, put.e_tag())?;
        self.stored.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Every server of S3 answers with a tag; what else says yes to everything is none.
    fn tagged(&self, key: &str, tag: Option<&str>) -> Result<(), S3Error> {
        match tag {
            Some(tag) if !tag.is_empty() => Ok(()),
            _ => Err(S3Error::Refused {
                doing: "storing",
                place: self.place.of(key),
                reason: "what answers is no server of S3: it gave no tag: is `endpoint` right?".to_owned(),
                code: None,
            }),
        }
    }

    /// What an object says of itself; none when there is none.
    pub async fn head(&self, key: &str) -> Result<Option<Object>, S3Error> {
        let head = self.client.head_object().bucket(&self.place.bucket).key(self.place.key(key));
        match head.send().await {
            Ok(head) => Ok(Some(Object {
                key: key.to_owned(),
                size: head.content_length().unwrap_or_default().max(0) as u64,
                payload: head.metadata().and_then(|metadata| metadata.get(SIZE)?.parse().ok()),
                modified: head.last_modified().map_or(0, |at| at.secs()),
                checksum: head.metadata().and_then(|metadata| metadata.get(CHECKSUM).cloned()),
            })),
            Err(SdkError::ServiceError(error)) if error.err().is_not_found() => Ok(None),
            Err(error) => Err(self.error("looking at", key, error)),
        }
    }

    /// The bytes of an object, of which at most so many are taken; none when there is none.
    pub async fn get(&self, key: &str, most: u64) -> Result<Option<Vec<u8>>, S3Error> {
        let get = self.client.get_object().bucket(&self.place.bucket).key(self.place.key(key));
        let mut object = match get.send().await {
            Ok(object) => object,
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => return Ok(None),
            Err(error) => return Err(self.error("reading", key, error)),
        };
        let size = object.content_length().unwrap_or_default().max(0) as u64;
        let large = || S3Error::Large { place: self.place.of(key), most };
        if size > most {
            return Err(large());
        }
        let mut bytes = Vec::with_capacity(size as usize);
        while let Some(piece) = object.body.next().await {
            let piece =
                piece.map_err(|error| S3Error::Broken { place: self.place.of(key), reason: error.to_string() })?;
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > most {
                return Err(large());
            }
        }
        Ok(Some(bytes))
    }

    /// Objects whose key begins with `prefix`, in order of keys, those behind `after`; at most so many.
    pub async fn list(&self, prefix: &str, after: &str, most: usize) -> Result<Vec<Object>, S3Error> {
        let mut listed = Vec::new();
        let (mut next, mut last): (Option<String>, Option<String>) = (None, None);
        while listed.len() < most {
            let list = self
                .client
                .list_objects_v2()
                .bucket(&self.place.bucket)
                .prefix(self.place.key(prefix))
                .set_start_after((!after.is_empty() && next.is_none()).then(|| self.place.key(after)))
                .set_continuation_token(next.take())
                .max_keys((most - listed.len()).min(1_000) as i32);
            let page = list.send().await.map_err(|error| self.error("listing", prefix, error))?;
            for object in page.contents() {
                let Some(key) = object.key().and_then(|key| self.place.without(key)) else { continue };
                listed.push(Object {
                    key: key.to_owned(),
                    size: object.size().unwrap_or_default().max(0) as u64,
                    payload: None,
                    modified: object.last_modified().map_or(0, |at| at.secs()),
                    checksum: None,
                });
            }
            let token = page.next_continuation_token().map(str::to_owned);
            // A page that leads to itself would never end.
            if token.is_none() || token == last || page.is_truncated() != Some(true) {
                break;
            }
            last.clone_from(&token);
            next = token;
        }
        Ok(listed)
    }

    /// Removes objects; what is not there is no error.
    pub async fn remove(&self, keys: &[String]) -> Result<(), S3Error> {
        let one = async |key: &String| {
            let remove = self.client.delete_object().bucket(&self.place.bucket).key(self.place.key(key));
            match remove.send().await {
                Ok(_) => Ok(()),
                // Amazon does not mind; some others do.
                Err(error) if error::code(&error) == Some("NoSuchKey") => Ok(()),
                Err(error) => Err(self.error("removing", key, error)),
            }
        };
        futures_util::stream::iter(keys.iter().map(one)).buffer_unordered(AT_ONCE).try_collect().await
    }
}
