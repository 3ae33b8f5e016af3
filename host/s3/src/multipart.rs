//! Large objects go up in parts, some at once. A part that arrived stays: an upload that was broken off goes on with the others.

use crate::{Bucket, Content, S3Error, error};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use futures_util::{StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// Of a part, in bytes. The same for all of an object but its last, and for ever: what is there is known by its number.
pub const PART: usize = 8 << 20;
/// So many parts of an object are under way at once.
const AT_ONCE: usize = 4;

/// An upload in parts that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Of which object.
    pub key: String,
    /// The server's name for it.
    pub id: String,
    /// When it began: Unix seconds, by the server's clock.
    pub began: i64,
}

impl Bucket {
    /// Stores an object in parts. `known` is the upload that was begun before with the same content; the id of a new one is given to
    /// `begun` before the first part goes. The object appears with the last.
    pub async fn put_parts<E>(
        &self,
        key: &str,
        content: &Content,
        known: Option<&str>,
        begun: impl FnOnce(&str) -> Result<(), E>,
    ) -> Result<(), S3Error>
    where
        E: std::fmt::Display,
    {
        if let Some(id) = known
            && let Some(there) = self.parts(key, id).await?
        {
            match self.put_missing(key, content, id, &there).await {
                Ok(()) => return Ok(()),
                // A line that broke: what is there stays, for the next time.
                Err(error @ S3Error::Refused { code: None, .. }) if !there.is_empty() => return Err(error),
                Err(_) => {}
            }
        }
        // Whoever asked to complete it may not have heard the answer.
        if known.is_some() && self.has(key, content).await {
            return Ok(());
        }
        // The server may not know it any more, whatever it says of that, or hang up over it: then it begins anew. A server that does
        // not answer now either may know it still.
        let id = self.begin(key, content).await?;
        begun(&id).map_err(|error| S3Error::Account(error.to_string()))?;
        if let Some(id) = known {
            let _ = self.abort(&Upload { key: key.to_owned(), id: id.to_owned(), began: 0 }).await;
        }
        self.put_missing(key, content, &id, &BTreeMap::new()).await
    }

    /// Stores the parts that are not `there`, and completes the upload.
    async fn put_missing(
        &self,
        key: &str,
        content: &Content,
        id: &str,
        there: &BTreeMap<i32, (String, i64)>,
    ) -> Result<(), S3Error> {
        let length = content.len();
        let part = async |number: usize| {
            let (from, to) = (number * PART, length.min((number + 1) * PART));
            let (number, size) = (number as i32 + 1, to - from);
            let tag = match there.get(&number) {
                Some((tag, there)) if *there == size as i64 => tag.clone(),
                _ => self.put_part(key, id, number, content.part(from, to)).await?,
            };
            Ok::<_, S3Error>(CompletedPart::builder().part_number(number).e_tag(tag).build())
        };
        let numbers = 0..length.div_ceil(PART);
        let parts: Vec<CompletedPart> =
            futures_util::stream::iter(numbers.map(part)).buffered(AT_ONCE).try_collect().await?;
        let complete = self
            .client
            .complete_multipart_upload()
            .bucket(&self.place.bucket)
            .key(self.place.key(key))
            .upload_id(id)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build());
        match complete.send().await {
            Ok(_) => Ok(()),
            // Whether only the answer was lost is for the server to say: the parts need not go once more.
            Err(_) if self.has(key, content).await => Ok(()),
            Err(error) => Err(self.error("completing the upload of", key, error)),
        }
    }

    /// Is this content there already, as far as anybody can say?
    async fn has(&self, key: &str, content: &Content) -> bool {
        let there = self.head(key).await.ok().flatten();
        there.is_some_and(|there| {
            there.checksum.as_ref() == Some(&content.checksum) && there.size == content.len() as u64
        })
    }

    async fn begin(&self, key: &str, content: &Content) -> Result<String, S3Error> {
        let begin = self
            .client
            .create_multipart_upload()
            .bucket(&self.place.bucket)
            .key(self.place.key(key))
            .content_type(&content.media_type)
            .metadata(crate::CHECKSUM, &content.checksum)
            .metadata(crate::SIZE, content.payload.to_string());
        let begun = begin.send().await.map_err(|error| self.error("beginning the upload of", key, error))?;
        Ok(begun.upload_id().unwrap_or_default().to_owned())
    }

    async fn put_part(&self, key: &str, id: &str, number: i32, bytes: bytes::Bytes) -> Result<String, S3Error> {
        let put = self
            .client
            .upload_part()
            .bucket(&self.place.bucket)
            .key(self.place.key(key))
            .upload_id(id)
            .part_number(number)
            .body(bytes.into());
        let put = put.send().await.map_err(|error| self.error("storing a part of", key, error))?;
        self.stored.fetch_add(1, Ordering::Relaxed);
        self.tagged(key, put.e_tag())?;
        Ok(put.e_tag().unwrap_or_default().to_owned())
    }

    /// The parts of an upload that have arrived: by their number, tag and size. None when the server does not know it any more, does
    /// not say it as S3 does, or not to us.
    async fn parts(&self, key: &str, id: &str) -> Result<Option<BTreeMap<i32, (String, i64)>>, S3Error> {
        let mut found = BTreeMap::new();
        let mut after: Option<String> = None;
        loop {
            let list = self
                .client
                .list_parts()
                .bucket(&self.place.bucket)
                .key(self.place.key(key))
                .upload_id(id)
                .set_part_number_marker(after.take());
            let page = match list.send().await {
                Ok(page) => page,
                Err(error)
                    if matches!(error::code(&error), Some("NoSuchUpload" | "NotImplemented" | "AccessDenied")) =>
                {
                    return Ok(None);
                }
                Err(error) if error.raw_response().is_some_and(|said| said.status().is_success()) => return Ok(None),
                Err(error) => return Err(self.error("looking for parts of", key, error)),
            };
            for part in page.parts() {
                if let (Some(number), Some(tag)) = (part.part_number(), part.e_tag()) {
                    found.insert(number, (tag.to_owned(), part.size().unwrap_or_default()));
                }
            }
            match page.next_part_number_marker() {
                Some(next) if page.is_truncated() == Some(true) => after = Some(next.to_owned()),
                _ => return Ok(Some(found)),
            }
        }
    }

    /// The uploads under the prefix that have begun and not ended; none where the server cannot say.
    pub async fn uploads(&self, prefix: &str) -> Result<Vec<Upload>, S3Error> {
        let mut found = Vec::new();
        let mut after: Option<(String, String)> = None;
        loop {
            let (key, id) = after.take().unzip();
            let list = self
                .client
                .list_multipart_uploads()
                .bucket(&self.place.bucket)
                .prefix(self.place.key(prefix))
                .set_key_marker(key)
                .set_upload_id_marker(id);
            let page = match list.send().await {
                Ok(page) => page,
                Err(error) if error::code(&error) == Some("NotImplemented") => return Ok(found),
                Err(error) => return Err(self.error("listing uploads under", prefix, error)),
            };
            for upload in page.uploads() {
                if let (Some(key), Some(id)) =
                    (upload.key().and_then(|key| self.place.without(key)), upload.upload_id())
                {
                    let began = upload.initiated().map_or(0, |at| at.secs());
                    found.push(Upload { key: key.to_owned(), id: id.to_owned(), began });
                }
            }
            match (page.next_key_marker(), page.next_upload_id_marker()) {
                (Some(key), Some(id)) if page.is_truncated() == Some(true) => {
                    after = Some((key.to_owned(), id.to_owned()))
                }
                _ => return Ok(found),
            }
        }
    }

    /// Ends an upload: its parts go. One that is not there is no error.
    pub async fn abort(&self, upload: &Upload) -> Result<(), S3Error> {
        let abort = self
            .client
            .abort_multipart_upload()
            .bucket(&self.place.bucket)
            .key(self.place.key(&upload.key))
            .upload_id(&upload.id);
        match abort.send().await {
            Ok(_) => Ok(()),
            Err(error) if error::code(&error) == Some("NoSuchUpload") => Ok(()),
            Err(error) => Err(self.error("ending the upload of", &upload.key, error)),
        }
    }
}
