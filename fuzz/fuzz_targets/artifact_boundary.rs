//! Any bytes at the artifact's door: refused, or canonical, which is one form of bytes for one content. And any content: it
//! survives every form, and no bit of it can change unseen.
#![no_main]

use aivm_schema::artifact::{Artifact, Draft, json, key, parts};
use aivm_schema::keys::{Keyring, SecretKey, Trust};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// Each way to write an artifact is read back as the same.
fn survives(artifact: &Artifact) {
    assert_eq!(Artifact::from_bytes(artifact.bytes()).as_ref(), Ok(artifact));
    let framed = [artifact.to_framed(), b"more".to_vec()].concat();
    assert_eq!(Artifact::from_framed(&framed), Ok((artifact.clone(), &b"more"[..])));
    assert_eq!(Artifact::from_head(&artifact.head(), artifact.payload()).as_ref(), Ok(artifact));
    let text = json::to_json(artifact).to_string();
    let value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json::from_json(&value).as_ref(), Ok(artifact), "{text}");
    let at = key::encode(artifact, key::Form::Binary);
    let read = key::decode(&at).expect("a key");
    assert_eq!((read.timestamp, read.id.whole()), (artifact.timestamp(), Some(artifact.id())), "{at}");
    assert!(read.origin.whole().is_none_or(|origin| origin == artifact.origin()), "{at}");
    assert!(read.media_type.whole().is_none_or(|text| text == artifact.media_type()), "{at}");
}

fn content(u: &mut Unstructured) -> Result<()> {
    let draft = Draft {
        media_type: u.arbitrary()?,
        origin: u.arbitrary()?,
        role: u.arbitrary()?,
        scope: u.arbitrary()?,
        attributes: u.arbitrary()?,
        payload: u.arbitrary()?,
    };
    let Ok(artifact) = draft.seal(u.arbitrary()?, u.arbitrary()?) else { return Ok(()) };
    survives(&artifact);
    let secret = SecretKey::from_random([9; 32]);
    let signed = secret.sign(&artifact);
    survives(&signed);
    let mut keyring = Keyring::default();
    keyring.trust("me", secret.public()).expect("a key");
    assert_eq!(keyring.verify(&signed), Trust::Trusted("me".into()));
    // A flipped bit of the signature is an artifact, but nobody's.
    let bit = u.choose_index(signed.bytes().len() * 8)?;
    let mut damaged = signed.bytes().to_vec();
    damaged[bit / 8] ^= 1 << (bit % 8);
    if let Ok(other) = Artifact::from_bytes(&damaged) {
        assert_eq!((keyring.verify(&other), other.checksum()), (Trust::Invalid, signed.checksum()));
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    match Artifact::from_bytes(data) {
        Ok(artifact) => {
            assert_eq!(artifact.bytes(), data);
            survives(&artifact);
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error:?}"),
    }
    if let Ok((artifact, rest)) = Artifact::from_framed(data) {
        assert_eq!([artifact.to_framed(), rest.to_vec()].concat(), data);
        survives(&artifact);
    }
    if let Ok(artifact) = serde_json::from_slice(data).map_err(drop).and_then(|v| json::from_json(&v).map_err(drop)) {
        survives(&artifact);
    }
    if let Ok(list) = parts::decode(data) {
        assert_eq!(parts::encode(&list), data, "parts have one form");
    }
    let _ = std::str::from_utf8(data).map(key::decode);
    let _ = content(&mut Unstructured::new(data));
});
