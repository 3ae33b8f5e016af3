//! What a client asks: which model, with which messages, all at once or as a stream. What it says of tools, temperatures and the like is
//! not for a pipeline, and passed over; what would change the answer's form is refused.

use super::refusal::Refusal;
use crate::serve::{self, Pipeline, Takes, from_base64};
use aivm_schema::artifact::Draft;
use serde_json::{Value, json};

/// A question.
#[derive(Debug)]
pub struct Asked {
    /// Whom.
    pub model: String,
    /// As a stream?
    pub stream: bool,
    /// Is a stream to say what was used?
    pub usage: bool,
    /// Who said what.
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    role: String,
    text: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Asked {
    /// A request for a chat completion.
    pub fn of_chat(body: &Value) -> Result<Asked, Refusal> {
        if body.get("n").and_then(Value::as_u64).is_some_and(|n| n != 1) {
            return Err(Refusal::wrong("`n`: a pipeline gives one answer"));
        }
        let messages = body.get("messages").and_then(Value::as_array);
        let messages = messages.ok_or_else(|| Refusal::wrong("`messages` is no list"))?;
        let messages = messages.iter().map(Message::read).collect::<Result<_, _>>()?;
        Asked::of(body, messages)
    }

    /// A request for a response.
    pub fn of_responses(body: &Value) -> Result<Asked, Refusal> {
        if body.get("previous_response_id").is_some_and(|id| !id.is_null()) {
            return Err(Refusal::wrong(
                "`previous_response_id`: no conversation is kept here; send all of it as `input`",
            ));
        }
        if body.get("background") == Some(&Value::Bool(true)) {
            return Err(Refusal::wrong("`background`: an answer is waited for"));
        }
        let mut messages = Vec::new();
        if let Some(instructions) = body.get("instructions").and_then(Value::as_str) {
            messages.push(Message { role: "system".into(), text: instructions.into(), files: Vec::new() });
        }
        match body.get("input") {
            Some(Value::String(text)) => {
                messages.push(Message { role: "user".into(), text: text.clone(), files: Vec::new() });
            }
            Some(Value::Array(items)) => {
                let is_message = |item: &&Value| item.get("type").is_none_or(|kind| kind == "message");
                for item in items.iter().filter(is_message) {
                    messages.push(Message::read(item)?);
                }
            }
            _ => return Err(Refusal::wrong("`input` is neither a text nor a list")),
        }
        Asked::of(body, messages)
    }

    fn of(body: &Value, messages: Vec<Message>) -> Result<Asked, Refusal> {
        let model = body.get("model").and_then(Value::as_str).ok_or_else(|| Refusal::wrong("`model` is no text"))?;
        let is = |pointer: &str| body.pointer(pointer) == Some(&Value::Bool(true));
        Ok(Asked {
            model: model.to_owned(),
            stream: is("/stream"),
            usage: is("/stream_options/include_usage"),
            messages,
        })
    }

    /// The input of the run: the last message of the user, or all of them as JSON.
    pub fn input(&self, pipeline: &Pipeline, conversation: bool) -> Result<Draft, Refusal> {
        if conversation {
            let messages: Vec<Value> =
                self.messages.iter().map(|message| json!({"role": message.role, "content": message.text})).collect();
            return Ok(serve::input("application/json", json!({"messages": messages}).to_string().into_bytes()));
        }
        let last = self.messages.iter().rfind(|message| message.role == "user");
        let last = last.ok_or_else(|| Refusal::wrong("there is no message of a user"))?;
        match last.files.as_slice() {
            [] if matches!(pipeline.takes, Takes::Bytes(_)) => {
                Err(Refusal::wrong(format!("`{}` takes {}: send a file", pipeline.name, pipeline.takes.media_type())))
            }
            [] => Ok(serve::input(pipeline.takes.media_type(), last.text.clone().into_bytes())),
            [(media_type, bytes)] if last.text.is_empty() => Ok(serve::input(media_type, bytes.clone())),
            _ => Err(Refusal::wrong("a message is text, or one file")),
        }
    }
}

impl Message {
    fn read(message: &Value) -> Result<Message, Refusal> {
        let role = message.get("role").and_then(Value::as_str);
        let role = role.ok_or_else(|| Refusal::wrong("a message has no `role`"))?.to_owned();
        let mut read = Message { role, text: String::new(), files: Vec::new() };
        match message.get("content") {
            Some(Value::String(text)) => read.text.clone_from(text),
            Some(Value::Array(parts)) => {
                for part in parts {
                    read.add(part)?;
                }
            }
            // Of an assistant that called a tool.
            None | Some(Value::Null) => {}
            Some(_) => return Err(Refusal::wrong("the `content` of a message is neither a text nor a list")),
        }
        Ok(read)
    }

    /// A part of the content, as the one or the other interface has it.
    fn add(&mut self, part: &Value) -> Result<(), Refusal> {
        if let Some(text) = part.get("text").and_then(Value::as_str) {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(text);
            return Ok(());
        }
        let places = ["/image_url/url", "/image_url", "/file/file_data", "/file_data"];
        let address = places.iter().find_map(|place| part.pointer(place)?.as_str());
        let kind = part.get("type").and_then(Value::as_str).unwrap_or("none");
        let address = address.ok_or_else(|| Refusal::wrong(format!("a part of the type `{kind}` is not read here")))?;
        let file = address.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
        let file = file.and_then(|(media_type, data)| Some((media_type.to_owned(), from_base64(data)?)));
        let file = file.filter(|(media_type, _)| is_of_others(media_type));
        self.files.push(file.ok_or_else(|| Refusal::wrong("a file must be there itself, as `data:TYPE;base64,…`"))?);
        Ok(())
    }
}

/// Is this a type of files, and not one of the values that this program makes itself?
fn is_of_others(media_type: &str) -> bool {
    let named = media_type.split_once('/').is_some_and(|(kind, sort)| !kind.is_empty() && !sort.is_empty());
    named
        && media_type.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && !media_type.starts_with("application/vnd.aivm")
}
