//! What [`Artifact::from_bytes`] refuses, and by which name; each limit on both sides.

use super::*;
use crate::limits;
use layout::Content;

const ID: &str = "018bcfe5-687b-7707-8707-070707070707";

/// A content that keeps every rule, to break one.
fn sound<'a>() -> Content<'a> {
    Content {
        id: ID,
        checksum: &[],
        pubkey: &[],
        version: VERSION,
        media_type: "text/plain",
        timestamp: 7,
        origin: "user",
        role: "input",
        scope: "run",
        attributes: vec![("a", "1"), ("b", "2")],
        payload: b"payload",
        signature: &[],
    }
}

/// What the door says of a content that was written without asking whether it keeps the rules.
fn verdict(content: &Content) -> Result<(), ArtifactError> {
    Artifact::from_bytes(content.seal().bytes()).map(|_| ())
}

#[test]
fn a_sound_one_passes() {
    assert_eq!(verdict(&sound()), Ok(()));
}

#[test]
fn ids_have_one_form() {
    let upper = ID.to_uppercase();
    let braced = format!("{{{ID}}}");
    let simple = ID.replace('-', "");
    for id in [
        "",
        "x",
        &upper,
        &braced,
        &simple,
        "018bcfe5-687b-7707-8707-07070707070g",
        "018bcfe5-687b-7707-8707_070707070707",
    ] {
        assert_eq!(verdict(&Content { id, ..sound() }), Err(ArtifactError::NotAnId), "{id}");
    }
}

#[test]
fn versions_are_three_numbers() {
    for version in ["v0.0.1", "v1.20.300"] {
        assert_eq!(verdict(&Content { version, ..sound() }), Ok(()), "{version}");
    }
    for version in ["", "0.0.1", "v0.1", "v0.0.1.2", "v0.0.01", "v0.0.x", "v0..1", "v0.0.-1", "v0.0.1234567890"] {
        assert_eq!(verdict(&Content { version, ..sound() }), Err(ArtifactError::NotAVersion), "{version}");
    }
}

#[test]
fn attributes_are_in_normal_form() {
    let broken: [(&str, Vec<(&str, &str)>); 4] = [
        ("a", vec![("b", "1"), ("a", "2")]),
        ("a", vec![("a", "1"), ("a", "2")]),
        ("a", vec![("a", "")]),
        ("", vec![("", "1")]),
    ];
    for (key, attributes) in broken {
        assert_eq!(verdict(&Content { attributes, ..sound() }), Err(ArtifactError::Attributes(key.into())));
    }
}

#[test]
fn texts_hold_no_nul() {
    assert_eq!(verdict(&Content { origin: "a\0b", ..sound() }), Err(ArtifactError::NotText("origin")));
    assert_eq!(verdict(&Content { scope: "\0", ..sound() }), Err(ArtifactError::NotText("scope")));
    assert_eq!(
        verdict(&Content { attributes: vec![("a", "\0")], ..sound() }),
        Err(ArtifactError::NotText("attributes"))
    );
}

#[test]
fn texts_are_utf8() {
    let artifact = Content { role: "needle", ..sound() }.seal();
    let mut bytes = artifact.bytes().to_vec();
    let at = bytes.windows(6).position(|window| window == b"needle").expect("it is in there");
    bytes[at] = 0xff;
    assert_eq!(Artifact::from_bytes(&bytes), Err(ArtifactError::NotText("role")));
}

#[test]
fn keys_and_signatures_have_their_lengths() {
    let (key, signature) = ([1; 33], [2; 65]);
    let with = |k: usize, s: usize| verdict(&Content { pubkey: &key[..k], signature: &signature[..s], ..sound() });
    assert_eq!(with(32, 64), Ok(()));
    assert_eq!(with(32, 0), Ok(()));
    for (pubkey, signature) in [(31, 64), (33, 64), (32, 63), (32, 65), (0, 64), (1, 0)] {
        assert!(matches!(with(pubkey, signature), Err(ArtifactError::Malformed(_))), "{pubkey}, {signature}");
    }
}

#[test]
fn limits_hold_on_both_sides() {
    let too_large = |field, most: usize| Err(ArtifactError::TooLarge { field, size: most + 1, most });
    let long = "x".repeat(limits::ARTIFACT_TEXT + 1);
    let most = &long[1..];
    assert_eq!(verdict(&Content { origin: most, attributes: vec![(most, most)], ..sound() }), Ok(()));
    assert_eq!(verdict(&Content { origin: &long, ..sound() }), too_large("origin", limits::ARTIFACT_TEXT));
    assert_eq!(
        verdict(&Content { attributes: vec![("a", &long)], ..sound() }),
        too_large("attributes", limits::ARTIFACT_TEXT)
    );
    assert_eq!(
        verdict(&Content { attributes: vec![(&long, "1")], ..sound() }),
        too_large("attributes", limits::ARTIFACT_TEXT)
    );
    let keys: Vec<String> = (0..=limits::ATTRIBUTES).map(|n| format!("{n:03}")).collect();
    let attributes = |count: usize| keys.iter().take(count).map(|key| (key.as_str(), "1")).collect();
    assert_eq!(verdict(&Content { attributes: attributes(limits::ATTRIBUTES), ..sound() }), Ok(()));
    let one_more = Content { attributes: attributes(limits::ATTRIBUTES + 1), ..sound() };
    assert_eq!(verdict(&one_more), too_large("attributes", limits::ATTRIBUTES));
    // Not sealed: a length is enough, and the pages are never touched.
    let payload = vec![0; limits::PAYLOAD + 1];
    assert_eq!(Content { payload: &payload[1..], ..sound() }.check(), Ok(()));
    assert_eq!(Content { payload: &payload, ..sound() }.check(), too_large("payload", limits::PAYLOAD));
}

#[test]
fn the_checksum_must_be_its_own() {
    let bytes = sound().with_checksum(Checksum([9; 32])).bytes().to_vec();
    assert_eq!(Artifact::from_bytes(&bytes), Err(ArtifactError::ChecksumMismatch));
}

/// An artifact's words, to be changed by hand.
fn words(artifact: &Artifact) -> Vec<u64> {
    artifact.bytes().as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

fn open(words: &[u64]) -> Result<Artifact, ArtifactError> {
    Artifact::from_bytes(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>())
}

#[test]
fn other_forms_of_the_same_are_refused() {
    let words = words(&sound().seal());
    assert!(open(&words).is_ok());
    // Behind the last field there is nothing.
    assert_eq!(open(&[&words[..], &[0]].concat()), Err(ArtifactError::NotCanonical));
    // A hole before the payload: the last pointer leads one word further.
    let pointers = (words[0] >> 48) as usize;
    let last = 1 + pointers;
    let mut hole = words.clone();
    hole[last] += 1 << 2;
    hole.insert(words.len() - 1, 0);
    assert_eq!(open(&hole), Err(ArtifactError::NotCanonical));
    // Something in the padding behind the seven bytes of the payload.
    let mut padding = words.clone();
    *padding.last_mut().expect("a payload") |= 1 << 56;
    assert_eq!(open(&padding), Err(ArtifactError::NotCanonical));
    // A null pointer at the end that need not be written.
    let unset = Content { payload: &[], ..sound() }.seal();
    let mut trailing = self::words(&unset);
    trailing[0] += 1 << 48;
    let pointers = (trailing[0] >> 48) as usize;
    trailing.insert(1 + pointers, 0);
    for pointer in trailing.iter_mut().skip(2).take(pointers - 1).filter(|pointer| **pointer != 0) {
        *pointer += 1 << 2;
    }
    assert_eq!(open(&trailing), Err(ArtifactError::NotCanonical));
}

#[test]
fn pointers_lead_to_lists_within() {
    let sound = words(&sound().seal());
    for (word, what) in [
        (2_u64, "a far pointer"),
        (3, "a capability"),
        (0xffff_fffd | 2 << 32 | 37 << 35, "backwards"),
        (1 | 0x1fff_ffff << 2 | 2 << 32 | 37 << 35, "out of it"),
        (1 | 2 << 32 | 0x1fff_ffff << 35, "a length out of it"),
        (1 | 5 << 32 | 5 << 35, "words, not bytes"),
        (1 | 7 << 32 | 5 << 35, "structs"),
    ] {
        for field in 0..9 {
            let mut broken = sound.clone();
            broken[2 + field] = word;
            assert!(open(&broken).is_err(), "{what} in pointer {field}");
        }
    }
}

#[test]
fn roots_of_other_shapes_are_refused() {
    let sound = words(&sound().seal());
    for root in [0, 1, 2, 0xffff_fffc, sound[0] + (1 << 32), sound[0] + (2 << 48), sound[0] | 4, u64::MAX] {
        let mut broken = sound.clone();
        broken[0] = root;
        assert!(open(&broken).is_err(), "{root:x}");
    }
    assert!(open(&[]).is_err());
    assert!(Artifact::from_bytes(&[0; 7]).is_err());
}

#[test]
fn a_little_does_not_become_much() {
    // Sixty-four attributes that all point at the same long text: 128 times what came in.
    let long = "x".repeat(limits::ARTIFACT_TEXT - 8);
    let mut words = words(&Content { attributes: vec![(&long, &long)], ..sound() }.seal());
    let place =
        |words: &[u64]| words.iter().position(|word| *word == 1 << 2 | 2 << 48).expect("the tag of one attribute");
    let tag = place(&words);
    let (key, text) = (words[tag + 1], tag + 3);
    let count = limits::ATTRIBUTES;
    words.splice(tag + 1..text, (0..2 * count).map(|at| key - ((1_u64) << 2) + (((2 * count - at - 1) as u64) << 2)));
    words[tag] = (count as u64) << 2 | 2 << 48;
    let list = 2 + layout::Field::Attributes as usize;
    words[list] = words[list] & 0xffff_ffff | 7 << 32 | (2 * count as u64) << 35;
    assert_eq!(open(&words), Err(ArtifactError::NotCanonical));
}

#[test]
fn frames_hold_one_segment() {
    let (one, two) = (sealed(b"one"), sealed(b"two"));
    let stream = [one.to_framed(), two.to_framed()].concat();
    let (first, rest) = Artifact::from_framed(&stream).expect("the first");
    let (second, rest) = Artifact::from_framed(rest).expect("the second");
    assert_eq!((first, second, rest.len()), (one, two, 0));
    for length in 0..stream.len() / 2 {
        assert!(Artifact::from_framed(&stream[..length]).is_err(), "{length} bytes");
    }
    let mut segments = stream.clone();
    segments[0] = 1;
    assert!(matches!(Artifact::from_framed(&segments), Err(ArtifactError::Malformed(_))));
    let mut endless = stream;
    endless[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(Artifact::from_framed(&endless), Err(ArtifactError::Malformed(_))));
}

#[test]
fn a_head_is_an_artifact_without_its_payload() {
    let artifact = SecretKey::from_random([3; 32]).sign(&sealed(&[b'x'; 1_000]));
    let head = artifact.head();
    assert!(head.len() < 1_000);
    assert_eq!(Artifact::from_head(&head, artifact.payload()), Ok(artifact.clone()));
    assert_eq!(Artifact::from_head(&head, b"another"), Err(ArtifactError::ChecksumMismatch));
    assert_eq!(Artifact::from_head(&head, b""), Err(ArtifactError::ChecksumMismatch));
    let empty = sealed(b"");
    assert_eq!(Artifact::from_head(&empty.head(), b""), Ok(empty));
}

#[test]
fn a_changed_signature_is_no_signature() {
    let secret = SecretKey::from_random([4; 32]);
    let mut keyring = Keyring::default();
    keyring.trust("me", secret.public()).expect("a name");
    let signed = secret.sign(&sealed(b"signed"));
    for bit in 0..signed.bytes().len() * 8 {
        let mut bytes = signed.bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // The checksum covers everything but the signature, and the signature itself.
        if let Ok(artifact) = Artifact::from_bytes(&bytes) {
            assert_eq!(keyring.verify(&artifact), Trust::Invalid, "bit {bit}");
        }
    }
}
