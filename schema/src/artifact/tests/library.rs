//! The hand-written form against the library's: same bytes from the same content, whatever it is.

use super::*;
use capnp::message::{ReaderOptions, SegmentArray};

fn text() -> impl Strategy<Value = String> {
    // Of every length modulo a word, of more than one byte a character, and often none.
    prop_oneof![Just(String::new()), "[^\0]{1,40}"]
}

prop_compose! {
    fn drafts()(
        media_type in text(),
        origin in text(),
        role in text(),
        scope in text(),
        attributes in proptest::collection::btree_map("[^\0]{1,20}", "[^\0]{0,20}", 0..=64),
        payload in prop_oneof![Just(Vec::new()), proptest::collection::vec(any::<u8>(), 0..3_000)],
    ) -> Draft {
        Draft { media_type, origin, role, scope, attributes: attributes.into_iter().collect(), payload }
    }
}

proptest! {
    #[test]
    fn the_same_bytes_as_the_library(draft in drafts(), timestamp: u64, random: [u8; 10], signed: bool) {
        let mut artifact = draft.clone().seal(timestamp, random).expect("valid");
        if signed {
            artifact = SecretKey::from_random([8; 32]).sign(&artifact);
        }
        prop_assert_eq!(by_library(&artifact), artifact.bytes());
        let segments = [artifact.bytes()];
        let message = capnp::message::Reader::new(SegmentArray::new(&segments), ReaderOptions::new());
        prop_assert!(message.is_canonical().expect("readable"));
        // Every field comes back, and the artifact made of them is the same.
        prop_assert_eq!(Artifact::from_bytes(artifact.bytes()), Ok(artifact.clone()));
        prop_assert_eq!(artifact.timestamp(), timestamp);
        let mut expected = draft;
        expected.attributes.retain(|(_, value)| !value.is_empty());
        prop_assert_eq!(artifact.to_draft(), expected.clone());
        for (key, value) in &expected.attributes {
            prop_assert_eq!(artifact.attribute(key), Some(value.as_str()));
        }
        prop_assert_eq!(json::from_json(&json::to_json(&artifact)), Ok(artifact.clone()));
        prop_assert_eq!(Artifact::from_head(&artifact.head(), artifact.payload()), Ok(artifact));
    }

    #[test]
    fn the_same_checksum_as_the_library(draft in drafts()) {
        let artifact = draft.seal(5, [5; 10]).expect("valid");
        // What the checksum covers is canonical itself: the same message with two fields unset.
        let covered = artifact.covered_bytes();
        let segments = [covered.as_slice()];
        let message = capnp::message::Reader::new(SegmentArray::new(&segments), ReaderOptions::new());
        prop_assert!(message.is_canonical().expect("readable"));
        let root = message.get_root::<artifact_capnp::artifact::Reader<'_>>().expect("an artifact");
        prop_assert!(!root.has_checksum() && !root.has_signature());
        prop_assert_eq!(Checksum(*blake3::hash(&covered).as_bytes()), artifact.checksum());
    }

    #[test]
    fn one_changed_byte_is_noticed(draft in drafts(), at: proptest::sample::Index, change in 1..=255_u8) {
        let mut bytes = draft.seal(6, [6; 10]).expect("valid").bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(Artifact::from_bytes(&bytes).is_err());
    }

    #[test]
    fn the_same_parts_as_the_library(entries in proptest::collection::vec((text(), any::<[u8; 32]>(), text()), 0..40)) {
        let parts: Vec<parts::Part> =
            entries.into_iter().map(|(name, sum, verdict)| parts::Part { name, artifact: Checksum(sum), verdict }).collect();
        let bytes = parts::encode(&parts);
        prop_assert_eq!(&parts_by_library(&parts), &bytes);
        prop_assert_eq!(parts::decode(&bytes), Ok(parts));
    }

    #[test]
    fn no_words_are_a_surprise(mut words in proptest::collection::vec(prop_oneof![any::<u64>(), pointers()], 1..64)) {
        // A root of the right shape, so that what is behind it is read.
        for root in [1 << 32 | 11 << 48, 1 << 48] {
            words[0] = root;
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            prop_assert!(Artifact::from_bytes(&bytes).is_err());
            if let Ok(parts) = parts::decode(&bytes) {
                prop_assert_eq!(parts::encode(&parts), bytes);
            }
        }
    }
}

/// List pointers that lead a few words on, to bytes or structs, and tags of lists.
fn pointers() -> impl Strategy<Value = u64> {
    (prop_oneof![Just(1_u64), Just(0)], 0..64_u64, prop_oneof![Just(2_u64), Just(7), 0..8_u64], 0..40_u64)
        .prop_map(|(kind, offset, size, count)| kind | offset << 2 | size << 32 | count << 35)
}

fn parts_by_library(parts: &[parts::Part]) -> Vec<u8> {
    let mut message = capnp::message::Builder::new_default();
    let mut root = message.init_root::<artifact_capnp::parts::Builder<'_>>();
    if !parts.is_empty() {
        let mut list = root.reborrow().init_parts(parts.len() as u32);
        for (at, entry) in parts.iter().enumerate() {
            let mut part = list.reborrow().get(at as u32);
            if !entry.name.is_empty() {
                part.set_name(entry.name.as_str());
            }
            part.set_artifact(&entry.artifact.0);
            if !entry.verdict.is_empty() {
                part.set_verdict(entry.verdict.as_str());
            }
        }
    }
    let words = message.into_reader().canonicalize().expect("canonical");
    capnp::Word::words_to_bytes(&words).to_vec()
}

#[test]
fn parts_have_one_form() {
    let part = |name: &str, verdict: &str| parts::Part {
        name: name.into(),
        artifact: Checksum([1; 32]),
        verdict: verdict.into(),
    };
    let bytes = parts::encode(&[part("a", "ok"), part("b", "")]);
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        if let Ok(parts) = parts::decode(&damaged) {
            assert_eq!(parts::encode(&parts), damaged, "bit {bit}");
        }
    }
    for length in 0..bytes.len() {
        assert!(parts::decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(parts::decode(&[&bytes[..], &[0; 8]].concat()).is_err());
    // Any address will do.
    let shifted = [&[0][..], &bytes].concat();
    assert!(parts::decode(&shifted[1..]).is_ok());
}

#[test]
fn parts_are_at_most_a_million() {
    let part = parts::Part { name: String::new(), artifact: Checksum([1; 32]), verdict: String::new() };
    let mut parts = vec![part; crate::limits::PARTS + 1];
    let (size, most) = (parts.len(), crate::limits::PARTS);
    assert_eq!(parts::decode(&parts::encode(&parts)), Err(ArtifactError::TooLarge { field: "parts", size, most }));
    parts.pop();
    assert_eq!(parts::decode(&parts::encode(&parts)).map(|parts| parts.len()), Ok(most));
}
