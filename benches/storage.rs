//! Values on disk and in S3: put, get, list. On disk beside what the same bytes take as plain files, each flushed; in S3 beside the bare
//! client at the same server, at the same concurrency, in turns. The servers are those that `AIVM_S3` names: `s3s=http://…,moto=…`.

use super::{Row, median, row, seconds};
use aivm_host::mint::Mint;
use aivm_host::store::Store;
use aivm_host::store::disk::Disk;
use aivm_host::store::values::{Listing, Values};
use aivm_schema::artifact::{Artifact, Draft};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;

fn artifact(mint: &Mint, size: usize, nth: usize) -> Artifact {
    let mut payload = vec![0; size];
    blake3::Hasher::new_keyed(&[nth as u8; 32]).update(&nth.to_le_bytes()).finalize_xof().fill(&mut payload);
    let draft = Draft {
        media_type: "a/b".into(),
        origin: "bench".into(),
        role: "step".into(),
        scope: "run".into(),
        attributes: Vec::new(),
        payload,
    };
    mint.seal(draft).expect("an artifact")
}

fn values(mint: &Mint, size: usize, count: usize) -> Vec<Artifact> {
    (0..count).map(|nth| artifact(mint, size, nth)).collect()
}

fn listed(disk: &Disk, prefix: &str, most: usize) -> usize {
    let listing = Listing { prefix: prefix.to_owned(), most, ..Listing::default() };
    disk.list(&listing).expect("listed").len()
}

/// Names are for ever: rows have static ones.
fn name(text: String) -> &'static str {
    text.leak()
}

/// All rows of the group.
pub fn storage(rows: &mut Vec<Row>) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let mint = Mint::system().expect("random bits");
    on_disk(rows, folder.path(), &mint);
    #[cfg(feature = "s3")]
    for (server, url) in std::env::var("AIVM_S3").unwrap_or_default().split(',').filter_map(|one| one.split_once('=')) {
        s3::in_bucket(rows, server, url, &mint);
    }
}

fn on_disk(rows: &mut Vec<Row>, folder: &Path, mint: &Mint) {
    for (size, what, count) in [(KB, "1 KB", 2_000), (64 * KB, "64 KB", 500), (MB, "1 MB", 100), (64 * MB, "64 MB", 3)]
    {
        let values = values(mint, size, count);
        let total = (size * count) as f64 / MB as f64;
        let (mut put, mut raw, mut got, mut read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for turn in 0..3 {
            let (at, plain) = (folder.join(format!("store{turn}")), folder.join(format!("plain{turn}")));
            fs::create_dir_all(&plain).expect("a folder");
            raw.push(
                total
                    / seconds(|| {
                        for (nth, value) in values.iter().enumerate() {
                            let mut file = File::create(plain.join(nth.to_string())).expect("a file");
                            file.write_all(value.payload()).expect("written");
                            file.sync_data().expect("flushed");
                        }
                    }),
            );
            let disk = Disk::open(&at).expect("a store");
            put.push(total / seconds(|| values.iter().for_each(|value| disk.put(value).expect("durable"))));
            drop(disk);
            // Opened anew: nothing is at hand.
            let disk = Disk::open(&at).expect("a store");
            listed(&disk, "", 1);
            got.push(
                total
                    / seconds(|| {
                        for value in &values {
                            let found = disk.find(value.checksum()).expect("read").expect("there");
                            assert_eq!(found.payload().len(), size);
                        }
                    }),
            );
            read.push(
                total
                    / seconds(|| {
                        for nth in 0..count {
                            assert_eq!(fs::read(plain.join(nth.to_string())).expect("read").len(), size);
                        }
                    }),
            );
        }
        let beside = ("files of that size, each flushed", median(raw));
        rows.push(row(
            name(format!("values of {what} on disk, each durable before the next")),
            median(put),
            "MB/s",
            beside,
            "",
        ));
        let beside = ("reading the files", median(read));
        rows.push(row(name(format!("the same, read and checked; {what}")), median(got), "MB/s", beside, ""));
    }
    let disk = Disk::open(&folder.join("keys")).expect("a store");
    let keep = disk.keep();
    let many = values(mint, 16, 100_000);
    many.iter().for_each(|value| keep.put(value));
    keep.flush().expect("durable");
    listed(&disk, "", 1);
    let took = seconds(|| assert_eq!(listed(&disk, "bench/", 200_000), 100_000));
    let sorted = seconds(|| {
        let mut keys: Vec<String> = many.iter().map(|value| value.checksum().to_string()).collect();
        keys.sort();
        assert_eq!(keys.len(), 100_000);
    });
    rows.push(row(
        "a list of 100,000 keys on disk",
        took * 1e3,
        "ms",
        ("as many texts made and sorted", sorted * 1e3),
        "",
    ));
}

#[cfg(feature = "s3")]
mod s3 {
    use super::*;
    use aivm_host::store::bucket::Remote;
    use aivm_s3::{Bucket, PART, Place, Settings, sdk};
    use aivm_schema::artifact::key::{self, Form};
    use futures_util::StreamExt;
    use std::convert::Infallible;

    /// So many requests at once.
    const AT_ONCE: usize = 16;

    async fn all(work: impl Iterator<Item = impl Future<Output = ()>>, at_once: usize) {
        futures_util::stream::iter(work).buffer_unordered(at_once).for_each(|()| async {}).await;
    }

    /// The bare client stores an object in the parts that ours has.
    async fn put_parts(client: &sdk::Client, key: &str, body: bytes::Bytes) {
        use sdk::types::{CompletedMultipartUpload, CompletedPart};
        let of = |bytes: &bytes::Bytes, at: usize| bytes.slice(at..bytes.len().min(at + PART));
        let begun = client.create_multipart_upload().bucket("aivm-bench").key(key).send().await.expect("begun");
        let id = begun.upload_id().expect("an id");
        let put = async |at: usize| {
            let number = (at / PART) as i32 + 1;
            let part = client.upload_part().bucket("aivm-bench").key(key).upload_id(id).part_number(number);
            let put = part.body(of(&body, at).into()).send().await.expect("stored");
            CompletedPart::builder().part_number(number).set_e_tag(put.e_tag).build()
        };
        let parts: Vec<_> =
            futures_util::stream::iter((0..body.len()).step_by(PART).map(put)).buffered(4).collect().await;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = client.complete_multipart_upload().bucket("aivm-bench").key(key).upload_id(id);
        complete.multipart_upload(parts).send().await.expect("completed");
    }

    async fn put_whole(client: &sdk::Client, key: &str, body: bytes::Bytes) {
        client.put_object().bucket("aivm-bench").key(key).body(body.into()).send().await.expect("stored");
    }

    pub fn in_bucket(rows: &mut Vec<Row>, server: &str, url: &str, mint: &Mint) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let settings = Settings { endpoint: Some(url.into()), region: Some("us-east-1".into()), ..Settings::default() };
        let place = Place::parse(&format!("s3://aivm-bench/{}", mint.run_id())).expect("a place");
        let bucket = runtime.block_on(Bucket::open(place, &settings));
        let client = bucket.client().clone();
        let _ = runtime.block_on(client.create_bucket().bucket("aivm-bench").send());
        let remote = Remote { bucket, form: Form::Binary };
        for (size, what, count) in [(KB, "1 KB", 400), (64 * KB, "64 KB", 200), (MB, "1 MB", 64), (64 * MB, "64 MB", 4)]
        {
            let values = values(mint, size, count);
            let total = (size * count) as f64 / MB as f64;
            let keys: Vec<String> = values.iter().map(|value| key::encode(value, Form::Binary)).collect();
            // What is in parts has four of them under way for each object.
            let at_once = if size > PART { 4 } else { AT_ONCE };
            let (mut put, mut raw, mut got, mut read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let mut whole = Vec::new();
            for turn in 0..5 {
                let ours = || {
                    runtime.block_on(all(
                        values.iter().map(async |value| {
                            remote.put(value, || Ok::<_, Infallible>(None), |_| Ok(())).await.expect("stored")
                        }),
                        at_once,
                    ));
                };
                let bare = || {
                    runtime.block_on(all(
                        values.iter().enumerate().map(async |(nth, value)| {
                            let (key, body) = (format!("raw/{nth}"), value.to_framed());
                            match size > PART {
                                true => put_parts(&client, &key, body.into()).await,
                                false => put_whole(&client, &key, body.into()).await,
                            }
                        }),
                        at_once,
                    ));
                };
                if size > PART {
                    let bare = values.iter().enumerate().map(|(nth, value)| (format!("raw/{nth}"), value.to_framed()));
                    let bare = bare.map(async |(key, body)| put_whole(&client, &key, body.into()).await);
                    whole.push(total / seconds(|| runtime.block_on(all(bare, at_once))));
                }
                // In turns, and each first as often as last.
                if turn % 2 == 0 {
                    put.push(total / seconds(ours));
                    raw.push(total / seconds(bare));
                } else {
                    raw.push(total / seconds(bare));
                    put.push(total / seconds(ours));
                }
                let ours = || {
                    runtime.block_on(all(
                        keys.iter().map(async |key| {
                            let found = remote.get(key).await.expect("read").expect("there");
                            assert_eq!(found.payload().len(), size);
                        }),
                        at_once,
                    ));
                };
                let bare = || {
                    runtime.block_on(all(
                        (0..count).map(async |nth| {
                            let get = client.get_object().bucket("aivm-bench").key(format!("raw/{nth}")).send().await;
                            let bytes = get.expect("asked").body.collect().await.expect("read").into_bytes();
                            assert!(bytes.len() > size);
                        }),
                        at_once,
                    ));
                };
                if turn % 2 == 0 {
                    got.push(total / seconds(ours));
                    read.push(total / seconds(bare));
                } else {
                    read.push(total / seconds(bare));
                    got.push(total / seconds(ours));
                }
            }
            let same = if size > PART {
                "the bare client, in the same parts"
            } else {
                "the bare client, at the same concurrency"
            };
            let put = median(put);
            rows.push(row(
                name(format!("values of {what} put into S3, {server}")),
                put,
                "MB/s",
                (same, median(raw)),
                "≥ 0.9",
            ));
            if size > PART {
                let beside = ("the bare client, in one request each", median(whole));
                rows.push(row(name(format!("the same again; {what}, {server}")), put, "MB/s", beside, ""));
            }
            let beside = ("the bare client, at the same concurrency", median(read));
            rows.push(row(
                name(format!("the same, got and checked; {what}, {server}")),
                median(got),
                "MB/s",
                beside,
                "≥ 0.9",
            ));
        }
    }
}
