use super::*;
use crate::artifact_capnp;
use crate::keys::{Keyring, SecretKey, Trust};
use proptest::prelude::*;

mod door;
mod golden;
mod library;

fn draft(payload: &[u8]) -> Draft {
    Draft {
        media_type: "text/plain".into(),
        origin: "user".into(),
        role: "input".into(),
        scope: "run".into(),
        attributes: vec![("step".into(), "a#1".into()), ("run".into(), "1".into())],
        payload: payload.to_vec(),
    }
}

fn sealed(payload: &[u8]) -> Artifact {
    draft(payload).seal(1_700_000_000_123_456_789, [7; 10]).expect("valid")
}

/// What the library makes of the same content.
fn by_library(artifact: &Artifact) -> Vec<u8> {
    let mut message = capnp::message::Builder::new_default();
    let mut root = message.init_root::<artifact_capnp::artifact::Builder<'_>>();
    let text = |text: &str, set: &mut dyn FnMut(&str)| {
        if !text.is_empty() {
            set(text)
        }
    };
    text(artifact.id(), &mut |t| root.set_id(t));
    root.set_checksum(&artifact.checksum().0);
    if !artifact.pubkey().is_empty() {
        root.set_pubkey(artifact.pubkey());
    }
    text(artifact.version(), &mut |t| root.set_version(t));
    text(artifact.media_type(), &mut |t| root.set_type(t));
    root.set_timestamp(artifact.timestamp());
    text(artifact.origin(), &mut |t| root.set_origin(t));
    text(artifact.role(), &mut |t| root.set_role(t));
    text(artifact.scope(), &mut |t| root.set_scope(t));
    if artifact.attributes().len() > 0 {
        let mut list = root.reborrow().init_attributes(artifact.attributes().len() as u32);
        for (at, (key, value)) in artifact.attributes().enumerate() {
            list.reborrow().get(at as u32).set_key(key);
            list.reborrow().get(at as u32).set_value(value);
        }
    }
    if !artifact.payload().is_empty() {
        root.set_payload(artifact.payload());
    }
    if !artifact.signature().is_empty() {
        root.set_signature(artifact.signature());
    }
    let words = message.into_reader().canonicalize().expect("canonical");
    capnp::Word::words_to_bytes(&words).to_vec()
}

#[test]
fn what_goes_in_comes_out() {
    let artifact = sealed(b"hello");
    assert_eq!(artifact.payload(), b"hello");
    assert_eq!(artifact.version(), "v0.0.1");
    assert_eq!(artifact.attribute("run"), Some("1"));
    assert_eq!(artifact.attribute("none"), None);
    assert_eq!(artifact.attributes().map(|(key, _)| key).collect::<Vec<_>>(), ["run", "step"]);
    let again = Artifact::from_bytes(artifact.bytes()).expect("valid");
    assert_eq!(again, artifact);
    assert_eq!(again.checksum(), artifact.checksum());
    let framed = artifact.to_framed();
    assert_eq!(Artifact::from_framed(&framed).expect("valid"), (artifact, &[][..]));
}

#[test]
fn equal_content_has_one_digest_and_two_checksums() {
    let a = draft(b"x").seal(1_000_000, [1; 10]).expect("valid");
    let b = draft(b"x").seal(2_000_000, [2; 10]).expect("valid");
    assert_eq!(a.content_digest(), b.content_digest());
    assert_ne!(a.checksum(), b.checksum());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = sealed(b"a payload").bytes().to_vec();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Artifact::from_bytes(&damaged).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(Artifact::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn drafts_are_held_to_their_limits() {
    let many = Draft { attributes: (0..65).map(|n| (format!("k{n}"), "v".into())).collect(), ..draft(b"") };
    assert!(matches!(many.seal(1, [0; 10]), Err(ArtifactError::TooLarge { field: "attributes", .. })));
    let twice = Draft { attributes: vec![("k".into(), "1".into()), ("k".into(), "2".into())], ..draft(b"") };
    assert!(matches!(twice.seal(1, [0; 10]), Err(ArtifactError::Attributes(_))));
    let nul = Draft { origin: "a\0b".into(), ..draft(b"") };
    assert!(matches!(nul.seal(1, [0; 10]), Err(ArtifactError::NotText("origin"))));
    let reserved = Draft { attributes: vec![("aivm.integrity".into(), "trusted".into())], ..draft(b"") };
    assert!(matches!(reserved.check_unreserved(), Err(ArtifactError::ReservedAttribute(_))));
    let lower = Draft { attributes: vec![(INTEGRITY.into(), UNTRUSTED.into())], ..draft(b"") };
    assert!(lower.check_unreserved().is_ok());
}

#[test]
fn signatures_are_worth_what_the_keyring_says() {
    let secret = SecretKey::from_random([9; 32]);
    let mut keyring = Keyring::default();
    let artifact = sealed(b"signed");
    assert_eq!(keyring.verify(&artifact), Trust::Unsigned);
    let signed = secret.sign(&artifact);
    assert_ne!(signed.checksum(), artifact.checksum(), "the checksum covers the key");
    assert_eq!(keyring.verify(&signed), Trust::Unknown(secret.public()));
    keyring.trust("me", secret.public()).expect("a name");
    let keyring = Keyring::parse(&keyring.to_file()).expect("valid");
    assert_eq!(keyring.verify(&signed), Trust::Trusted("me".into()));
    assert_eq!(by_library(&signed), signed.bytes());
    let secret: SecretKey = secret.to_file().parse().expect("valid");
    let forged = secret.sign(&sealed(b"other")).with_signature(signed.pubkey(), |_| signed.signature().to_vec());
    assert_eq!(keyring.verify(&forged), Trust::Invalid);
    assert!(!format!("{secret:?}").contains(&hex(&[9; 32])));
}

/// A text that somebody chose to be taken for another one.
fn adversarial(next: &mut dyn FnMut(u64) -> u64) -> String {
    const PIECES: [&str; 24] = [
        "",
        ".",
        "..",
        "/",
        "%",
        "%%",
        "%00",
        "%2E",
        "%2F",
        "%25",
        "a",
        "A",
        "%41",
        "é",
        "\u{301}",
        "\u{ffff}",
        " ",
        "~",
        "\n",
        "text",
        ".artifact",
        ".json",
        "v0.0.1",
        "-",
    ];
    let piece = |next: &mut dyn FnMut(u64) -> u64| PIECES[next(24) as usize];
    match next(16) {
        // About as long as the longest, and alike up to the end.
        0 => {
            let mut text = piece(next).repeat(1 + next(4) as usize);
            while text.len() < 90 + next(120) as usize {
                text.push(['a', 'é', '.', '%', '/'][next(5) as usize]);
            }
            text
        }
        // As a long one is written: its digest behind its beginning.
        1 => key::component(&"x".repeat(110 + next(30) as usize)),
        count => (0..count % 5).map(|_| piece(next)).collect(),
    }
}

/// How one decodes what the other encodes, and no two meet: so many of them, `AIVM_KEYS=1000000` in the long form.
#[test]
#[allow(clippy::disallowed_methods)]
fn keys_of_whatever_text_come_back_and_stay_apart() {
    let many: usize = std::env::var("AIVM_KEYS").ok().and_then(|many| many.parse().ok()).unwrap_or(20_000);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut seen: std::collections::HashMap<u128, u128> = std::collections::HashMap::with_capacity(many);
    let hash =
        |text: &[u8]| u128::from_le_bytes(blake3::hash(text).as_bytes()[..16].try_into().expect("sixteen bytes"));
    for _ in 0..many {
        let [origin, role, scope, media_type] = std::array::from_fn(|_| adversarial(&mut next));
        let draft = Draft { origin, role, scope, media_type, ..Draft::default() };
        let artifact = draft.seal(next(3), [next(2) as u8; 10]).expect("valid");
        let form = if next(2) == 0 { key::Form::Binary } else { key::Form::Json };
        let text = key::encode(&artifact, form);
        let parts = text.split('/').collect::<Vec<_>>();
        let safe = |part: &&str| !part.is_empty() && *part != "." && *part != ".." && part.len() <= key::LONGEST + 9;
        assert!(parts.iter().all(safe), "{text}");
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-%/".contains(&byte)), "{text}");
        let key = key::decode(&text).unwrap_or_else(|| panic!("{text}"));
        let fields = [
            (&key.origin, artifact.origin()),
            (&key.role, artifact.role()),
            (&key.scope, artifact.scope()),
            (&key.media_type, artifact.media_type()),
            (&key.version, artifact.version()),
            (&key.id, artifact.id()),
        ];
        for (component, field) in fields {
            match component {
                key::Component::Whole(whole) => assert_eq!(whole, field, "{text}"),
                key::Component::Cut(_) => assert!(field.len() > key::LONGEST / 3, "{text}: {field}"),
            }
        }
        assert_eq!((key.timestamp, key.form), (artifact.timestamp(), form));
        // The same key is the same fields.
        let said: String = fields.map(|(_, field)| format!("{}:{field}", field.len())).concat()
            + &format!("{}{form:?}", key.timestamp);
        let before = seen.insert(hash(text.as_bytes()), hash(said.as_bytes()));
        assert!(before.is_none_or(|before| before == hash(said.as_bytes())), "two have the key {text}");
    }
    assert!(seen.len() > many / 2, "{} of {many} are different", seen.len());
}

#[test]
fn keys_are_file_names() {
    let artifact = Draft {
        media_type: "text/x/y".into(),
        origin: "../etc".into(),
        role: String::new(),
        scope: "..".into(),
        ..draft(b"")
    };
    let artifact = artifact.seal(5_000_000, [1; 10]).expect("valid");
    let text = key::encode(&artifact, key::Form::Binary);
    assert!(text.starts_with("..%2Fetc/%00/%2E%2E/5000000/text/x%2Fy/v0.0.1/"), "{text}");
    let key = key::decode(&text).expect("a key");
    assert_eq!(key.origin.whole(), Some("../etc"));
    assert_eq!(key.media_type.whole(), Some("text/x/y"));
    assert_eq!(key.form, key::Form::Binary);
}

proptest! {
    #[test]
    fn the_layout_is_that_of_the_library(payload: Vec<u8>, origin in "[^\0]{0,20}", keys in proptest::collection::btree_map("[^\0]{1,8}", "[^\0]{1,8}", 0..6)) {
        let artifact = Draft { origin, attributes: keys.into_iter().collect(), ..draft(&payload) }.seal(3, [3; 10]).expect("valid");
        prop_assert_eq!(by_library(&artifact), artifact.bytes());
        prop_assert_eq!(Artifact::from_bytes(artifact.bytes()), Ok(artifact.clone()));
        prop_assert_eq!(json::from_json(&json::to_json(&artifact)), Ok(artifact));
    }

    #[test]
    fn no_bytes_are_a_surprise(bytes: Vec<u8>) {
        let _ = Artifact::from_bytes(&bytes);
        let _ = Artifact::from_framed(&bytes);
        let _ = parts::decode(&bytes);
    }

    #[test]
    fn keys_are_injective(origin in "[^\0]{0,400}", scope in "[^\0]{0,10}") {
        let a = Draft { origin: origin.clone(), scope: scope.clone(), ..draft(b"") }.seal(4, [4; 10]).expect("valid");
        let text = key::encode(&a, key::Form::Json);
        prop_assert!(text.split('/').all(|part| part.len() <= key::LONGEST && part != "." && part != ".." && !part.is_empty()));
        let key = key::decode(&text).expect("a key");
        prop_assert_eq!(key.scope.whole(), Some(scope.as_str()));
        if let Some(whole) = key.origin.whole() {
            prop_assert_eq!(whole, origin);
        }
    }

    #[test]
    fn parts_round_trip(entries in proptest::collection::vec(("[a-z]{0,9}", any::<[u8; 32]>(), "[a-z]{0,9}"), 0..9)) {
        let entries: Vec<parts::Part> = entries.into_iter().map(|(name, sum, verdict)| parts::Part { name, artifact: Checksum(sum), verdict }).collect();
        prop_assert_eq!(parts::decode(&parts::encode(&entries)), Ok(entries));
    }
}
