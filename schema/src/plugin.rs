//! What passes between a run and a plugin worker: frames as bytes, for both ends. `schema/plugin.capnp` says what they mean.

use crate::artifact::Artifact;
use crate::plugin_capnp::{frame, result};
use capnp::message::{Builder, ReaderOptions};
use capnp::serialize;

/// The protocol that this version speaks.
pub const PROTOCOL: u16 = 1;
/// The longest frame, in bytes.
pub const FRAME: usize = 64 << 20;
/// The bytes of a length before a frame.
pub const LENGTH: usize = 4;

/// A frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The first, each way.
    Hello {
        /// [`PROTOCOL`]
        protocol: u16,
        /// Who speaks.
        name: String,
    },
    /// To the plugin.
    Call(Box<Call>),
    /// From the plugin.
    Result(Answer),
    /// To the plugin: nobody waits for this call any more.
    Cancel(u64),
}

/// One call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Of this call, in this process.
    pub id: u64,
    /// Its place in the run.
    pub step: String,
    /// Its idempotency key.
    pub key: String,
    /// The run's name.
    pub run: String,
    /// 1, and one more for each retry.
    pub attempt: u32,
    /// The words that it may answer.
    pub outcomes: Vec<String>,
    /// `with`, as a JSON object.
    pub settings: String,
    /// The deadline, in milliseconds; 0: none.
    pub deadline_ms: u64,
    /// What with.
    pub input: Artifact,
    /// The values that it has, when it has several: name, verdict, value.
    pub parts: Vec<(String, String, Artifact)>,
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The call's.
    pub id: u64,
    /// The value, or why there is none.
    pub result: Result<Output, String>,
    /// What it cost, in millionths of a dollar.
    pub microdollars: u64,
    /// What it used.
    pub tokens: u64,
}

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// One of the outcomes; empty: it said nothing.
    pub outcome: String,
    /// The media type; empty: as its definition says.
    pub media_type: String,
    /// The value itself.
    pub payload: Vec<u8>,
}

/// Why bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FrameError(String);

impl From<capnp::Error> for FrameError {
    fn from(error: capnp::Error) -> FrameError {
        FrameError(error.to_string())
    }
}

impl Frame {
    /// As it is sent, its length first. Fails when it is longer than [`FRAME`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, FrameError> {
        let mut message = Builder::new_default();
        let mut root: frame::Builder<'_> = message.init_root();
        match self {
            Frame::Hello { protocol, name } => {
                let mut hello = root.init_hello();
                hello.set_protocol(*protocol);
                hello.set_name(name.as_str());
            }
            Frame::Call(call) => {
                let mut to = root.init_call();
                to.set_id(call.id);
                to.set_step(call.step.as_str());
                to.set_key(call.key.as_str());
                to.set_run(call.run.as_str());
                to.set_attempt(call.attempt);
                let mut outcomes = to.reborrow().init_outcomes(call.outcomes.len() as u32);
                for (at, word) in call.outcomes.iter().enumerate() {
                    outcomes.set(at as u32, word.as_str());
                }
                to.set_settings(call.settings.as_str());
                to.set_deadline_ms(call.deadline_ms);
                to.set_input(call.input.bytes());
                let mut parts = to.init_parts(call.parts.len() as u32);
                for (at, (name, verdict, value)) in call.parts.iter().enumerate() {
                    let mut part = parts.reborrow().get(at as u32);
                    part.set_name(name.as_str());
                    part.set_verdict(verdict.as_str());
                    part.set_artifact(value.bytes());
                }
            }
            Frame::Result(answer) => {
                let mut to = root.init_result();
                to.set_id(answer.id);
                to.set_microdollars(answer.microdollars);
                to.set_tokens(answer.tokens);
                match &answer.result {
                    Ok(output) => {
                        let mut to = to.init_output();
                        to.set_outcome(output.outcome.as_str());
                        to.set_type(output.media_type.as_str());
                        to.set_payload(&output.payload);
                    }
                    Err(reason) => to.set_failure(reason.as_str()),
                }
            }
            Frame::Cancel(id) => root.set_cancel(*id),
        }
        let words = serialize::write_message_to_words(&message);
        let length = u32::try_from(words.len()).ok().filter(|length| *length as usize <= FRAME);
        let length = length.ok_or_else(|| FrameError(format!("it is longer than {FRAME} bytes")))?;
        Ok([&length.to_le_bytes()[..], &words].concat())
    }

    /// From the bytes after a length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Frame, FrameError> {
        let mut options = ReaderOptions::new();
        options.traversal_limit_in_words(Some(bytes.len() / 4 + 1024)).nesting_limit(16);
        let mut rest = bytes;
        let message = serialize::read_message_from_flat_slice(&mut rest, options)?;
        let text = |text: capnp::Result<capnp::text::Reader<'_>>| crate::wire::text(text);
        let artifact = |bytes: &[u8]| Artifact::from_bytes(bytes).map_err(|error| FrameError(error.to_string()));
        let root: frame::Reader<'_> = message.get_root()?;
        let which = root.which().map_err(|_| FrameError("it is none of the frames that are known".into()))?;
        Ok(match which {
            frame::Hello(hello) => {
                let hello = hello?;
                Frame::Hello { protocol: hello.get_protocol(), name: text(hello.get_name())? }
            }
            frame::Call(call) => {
                let call = call?;
                let mut outcomes = Vec::new();
                for word in call.get_outcomes()?.iter() {
                    outcomes.push(text(word)?);
                }
                let mut parts = Vec::new();
                for part in call.get_parts()?.iter() {
                    parts.push((text(part.get_name())?, text(part.get_verdict())?, artifact(part.get_artifact()?)?));
                }
                Frame::Call(Box::new(Call {
                    id: call.get_id(),
                    step: text(call.get_step())?,
                    key: text(call.get_key())?,
                    run: text(call.get_run())?,
                    attempt: call.get_attempt(),
                    outcomes,
                    settings: text(call.get_settings())?,
                    deadline_ms: call.get_deadline_ms(),
                    input: artifact(call.get_input()?)?,
                    parts,
                }))
            }
            frame::Result(answer) => {
                let answer = answer?;
                let which =
                    answer.which().map_err(|_| FrameError("a result that is neither output nor failure".into()))?;
                let result = match which {
                    result::Output(output) => {
                        let output = output?;
                        Ok(Output {
                            outcome: text(output.get_outcome())?,
                            media_type: text(output.get_type())?,
                            payload: output.get_payload()?.to_vec(),
                        })
                    }
                    result::Failure(reason) => Err(text(reason)?),
                };
                let (microdollars, tokens) = (answer.get_microdollars(), answer.get_tokens());
                Frame::Result(Answer { id: answer.get_id(), result, microdollars, tokens })
            }
            frame::Cancel(id) => Frame::Cancel(id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Draft;

    #[test]
    fn a_frame_is_what_was_sent() {
        let draft = Draft { media_type: "text/plain".into(), payload: b"x".to_vec(), ..Draft::default() };
        let input = draft.seal(1, [7; 10]).expect("an artifact");
        let call = Call {
            id: 3,
            step: "s/x#1".into(),
            key: "k".into(),
            run: "r".into(),
            attempt: 1,
            outcomes: vec!["send".into(), "cancel".into()],
            settings: "{}".into(),
            deadline_ms: 5,
            parts: vec![("a".into(), "b".into(), input.clone())],
            input,
        };
        let output = Output { outcome: "send".into(), media_type: "text/plain".into(), payload: vec![1, 2] };
        for frame in [
            Frame::Hello { protocol: PROTOCOL, name: "x".into() },
            Frame::Call(Box::new(call)),
            Frame::Result(Answer { id: 3, result: Ok(output), microdollars: 4, tokens: 5 }),
            Frame::Result(Answer { id: 3, result: Err("why".into()), microdollars: 0, tokens: 0 }),
            Frame::Cancel(9),
        ] {
            let bytes = frame.to_bytes().expect("a frame");
            let (length, rest) = bytes.split_at(LENGTH);
            assert_eq!(u32::from_le_bytes(length.try_into().expect("four")) as usize, rest.len());
            assert_eq!(Frame::from_bytes(rest), Ok(frame));
            for cut in 0..rest.len() {
                let _ = Frame::from_bytes(&rest[..cut]);
            }
        }
        let output = Output { payload: vec![0; FRAME], ..Output::default() };
        let long = Answer { id: 1, result: Ok(output), microdollars: 0, tokens: 0 };
        assert!(Frame::Result(long).to_bytes().is_err());
    }
}
