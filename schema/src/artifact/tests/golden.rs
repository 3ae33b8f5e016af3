//! One artifact to the letter. When this fails, every store, signature and chain that exists has another form than this program
//! writes: raise [`VERSION`], and read both.

use super::*;

fn golden() -> Artifact {
    let draft = Draft {
        media_type: "text/plain".into(),
        origin: "user".into(),
        role: "input".into(),
        scope: "run".into(),
        attributes: vec![("run".into(), "r1".into()), ("step".into(), "plan".into())],
        payload: b"Hello, world!".to_vec(),
    };
    draft.seal(1_700_000_000_123_456_789, [7; 10]).expect("valid")
}

#[test]
fn the_bytes_are_those_of_version_0_0_1() {
    assert_eq!(golden().id(), "018bcfe5-687b-7707-8707-070707070707");
    assert_eq!(
        hex(golden().bytes()),
        "0000000001000a0015cd853dfe9c9717250000002a010000350000000201000000000000000000003d0000003a0000003d0000005a000000410000002a000000410000003200000041000000220000004100000027000000610000006a00000030313862636665352d363837622d373730372d383730372d303730373037303730373037000000005377287c7d5b581789dbbf21b4dc34e485b824e384ef9d68d7bcf75062b6308176302e302e310000746578742f706c61696e0000000000007573657200000000696e70757400000072756e000000000008000000000002000d000000220000000d0000001a0000000d0000002a0000000d0000002a00000072756e000000000072310000000000007374657000000000706c616e0000000048656c6c6f2c20776f726c6421000000"
    );
}

#[test]
fn the_names_are_those_of_version_0_0_1() {
    assert_eq!(golden().checksum().to_string(), "5377287c7d5b581789dbbf21b4dc34e485b824e384ef9d68d7bcf75062b63081");
    assert_eq!(
        golden().content_digest().to_string(),
        "7a2eb25fefe66ef3a82d91e9c655f63adbe607be8d51961a8c61b3987cd5cb3c"
    );
    assert_eq!(
        key::encode(&golden(), key::Form::Binary),
        "user/input/run/1700000000123456789/text/plain/v0.0.1/018bcfe5-687b-7707-8707-070707070707.artifact"
    );
}

#[test]
fn the_signature_is_that_of_version_0_0_1() {
    let signed = SecretKey::from_random([9; 32]).sign(&golden());
    assert_eq!(
        hex(signed.signature()),
        "df4d03bea0791dc4dbc20de2a101362d5b6322a875be5984fbe2862b27dfca3150fd2564d80feefef29677424070a44bdbdaf6ce8fa1250473689f298a48410e"
    );
}
