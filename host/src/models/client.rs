//! The library that speaks the providers' protocols: one client for the process, so that connections are kept. Its errors become
//! ours here, and nothing of it is seen outside of `models` and `work::model`.

use super::{AskError, ModelName, Models, Used};
use crate::secret;
use futures_util::StreamExt as _;
use genai::adapter::AdapterKind;
use genai::chat::{ChatOptions, ChatRequest, ChatResponse, ChatStreamEvent, StopReason, ToolCall, Usage};
use genai::resolver::{AuthData, Endpoint};
use genai::{ModelIden, ModelSpec, ServiceTarget};

#[cfg(feature = "memory")]
mod embed;
mod unread;

/// The longest part of a server's words that an error repeats, in bytes.
const REASON: usize = 400;

/// The client of the process.
#[derive(Debug)]
pub struct Client(genai::Client);

impl Client {
    fn new() -> Result<Client, String> {
        let http = crate::client::builder().build().map_err(|error| error.to_string())?;
        genai::Client::builder().with_reqwest(http).build().map(Client).map_err(|error| error.to_string())
    }
}

/// What a model answered.
pub struct Said {
    /// Its text.
    pub text: String,
    /// The tools that it wants called.
    pub calls: Vec<ToolCall>,
    /// What that used, as far as it says.
    pub used: Option<Used>,
    /// It had more to say, but not the tokens.
    pub cut: bool,
}

impl Models {
    /// Asks one model. `heard` is told each piece of the answer as it comes.
    pub async fn ask(
        &self,
        model: &str,
        request: ChatRequest,
        options: &ChatOptions,
        heard: Option<&(dyn Fn(&str) + Sync)>,
    ) -> Result<Said, AskError> {
        let (client, target) = self.aimed(model).await?;
        let failed = |error| failure(model, error);
        let Some(heard) = heard else {
            return match client.exec_chat(target, request, Some(options)).await {
                Ok(response) => said(model, response),
                Err(error) => match unread::refused(&error) {
                    Some(reason) => Err(refused(model, &reason)),
                    None => unread::said(&error).ok_or_else(|| failed(error)),
                },
            };
        };
        let refusal = unread::Refusal::default();
        let options = options.clone().with_raw_frame_sink(refusal.clone());
        let mut stream = client.exec_chat_stream(target, request, Some(&options)).await.map_err(failed)?.stream;
        let (mut text, mut ended) = (String::new(), None);
        while let Some(event) = stream.next().await {
            match event.map_err(failed)? {
                ChatStreamEvent::Chunk(chunk) => {
                    heard(&chunk.content);
                    text.push_str(&chunk.content);
                }
                ChatStreamEvent::End(end) => ended = Some(end),
                _ => {}
            }
        }
        let Some(end) = ended else {
            let reason = "the answer broke off".to_owned();
            return Err(AskError::Transport { model: model.to_owned(), reason });
        };
        let used = end.captured_usage.as_ref().and_then(used);
        let stop = end.captured_stop_reason.clone();
        if let Some(reason) = refusal.said().filter(|_| text.trim().is_empty()) {
            return Err(refused(model, &reason));
        }
        finish(model, text, end.captured_into_tool_calls().unwrap_or_default(), used, stop)
    }

    /// The client, and where and with which key it asks a model.
    async fn aimed(&self, model: &str) -> Result<(&genai::Client, ModelSpec), AskError> {
        let construction = |reason: String| AskError::Construction { model: model.to_owned(), reason };
        let client = self.client.get_or_init(Client::new).as_ref();
        let Client(client) = client.map_err(|reason| construction(reason.clone()))?;
        let mut target = self.target(model).map_err(construction)?;
        // Where the provider is the library knows; the key is another than it would take.
        if let ModelSpec::Iden(iden) = &target
            && let Some(key) = self.key_of(model)
        {
            let known = client.resolve_service_target(iden.clone()).await;
            let known = known.map_err(|error| construction(error.to_string()))?;
            target = ModelSpec::Target(ServiceTarget { auth: AuthData::from_single(key), ..known });
        }
        Ok((client, target))
    }

    /// The key that settings name for its provider.
    fn key_of(&self, name: &str) -> Option<String> {
        let settings = self.provider(&ModelName::parse(name).ok()?.provider)?;
        secret::find(settings.key.as_ref()?).ok().flatten()
    }

    /// Where a model is, which protocol it speaks, and the key.
    fn target(&self, name: &str) -> Result<ModelSpec, String> {
        let ModelName { provider, model } = ModelName::parse(name)?;
        let settings = self.provider(&provider).cloned().unwrap_or_default();
        let kind = match (&settings.kind, AdapterKind::from_lower_str(&provider)) {
            (Some(kind), _) => AdapterKind::from_lower_str(kind).ok_or_else(|| {
                format!("no provider `{kind}` is known: `kind` is the protocol, for example `openai`")
            })?,
            (None, Some(kind)) => kind,
            (None, None) if settings.url.is_some() => AdapterKind::OpenAI,
            (None, None) => {
                return Err(format!(
                    "no provider `{provider}` is known: name its server in aivm.toml, [provider.{provider}] url = \"http://…/v1\""
                ));
            }
        };
        let iden = ModelIden::new(kind, model);
        let secret = |name: &str| match secret::find(name) {
            Ok(Some(key)) => Ok(key),
            Ok(None) => Err(format!("there is no key: set {name}, or: aivm secret set {name}")),
            Err(error) => Err(error.to_string()),
        };
        let usual = kind.default_key_env_name();
        let key = match (&settings.key, &settings.url, usual) {
            (Some(name), _, _) => Some(secret(name)?),
            (None, None, Some(name)) => Some(secret(name)?),
            // A server of one's own may want none.
            (None, Some(_), _) | (None, None, None) => None,
        };
        let auth = AuthData::from_single(key.unwrap_or_else(|| "none".to_owned()));
        match settings.url {
            Some(url) => {
                // The library adds the rest of the address to it.
                let url = if url.ends_with('/') { url } else { format!("{url}/") };
                Ok(ModelSpec::Target(ServiceTarget { endpoint: Endpoint::from_owned(url), auth, model: iden }))
            }
            None => Ok(ModelSpec::Iden(iden)),
        }
    }
}

fn said(model: &str, response: ChatResponse) -> Result<Said, AskError> {
    let (used, stop) = (used(&response.usage), response.stop_reason.clone());
    let calls: Vec<ToolCall> = response.tool_calls().into_iter().cloned().collect();
    let refusal = response.captured_raw_body.as_ref().and_then(unread::refusal);
    let text = response.into_texts().concat();
    match refusal.filter(|_| calls.is_empty() && text.trim().is_empty()) {
        Some(reason) => Err(refused(model, &reason)),
        None => finish(model, text, calls, used, stop),
    }
}

fn refused(model: &str, reason: &str) -> AskError {
    AskError::Refused { model: model.to_owned(), reason: shortened(reason) }
}

fn finish(
    model: &str,
    text: String,
    calls: Vec<ToolCall>,
    used: Option<Used>,
    stop: Option<StopReason>,
) -> Result<Said, AskError> {
    match stop {
        Some(StopReason::ContentFilter(reason)) => Err(AskError::Refused { model: model.to_owned(), reason }),
        stop => Ok(Said { text, calls, used, cut: matches!(stop, Some(StopReason::MaxTokens(_))) }),
    }
}

/// None: the provider says nothing.
fn used(usage: &Usage) -> Option<Used> {
    let tokens = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok());
    match (tokens(usage.prompt_tokens), tokens(usage.completion_tokens)) {
        (None, None) => None,
        (input, output) => Some(Used { input: input.unwrap_or(0), output: output.unwrap_or(0) }),
    }
}

/// What went wrong, in our words.
fn failure(model: &str, error: genai::Error) -> AskError {
    let model = model.to_owned();
    if let Some(status) = error.status().map(|status| status.as_u16()) {
        let header = |name: &str| error.headers()?.get(name)?.to_str().ok()?.parse::<u64>().ok();
        return match status {
            429 => AskError::RateLimited { model, after: header("retry-after") },
            status => AskError::Status { model, status, reason: shortened(&body(&error)) },
        };
    }
    use genai::Error;
    match &error {
        Error::RequiresApiKey { .. }
        | Error::NoAuthResolver { .. }
        | Error::NoAuthData { .. }
        | Error::Resolver { .. }
        | Error::AdapterNotSupported { .. }
        | Error::MessageContentTypeNotSupported { .. } => {
            AskError::Construction { model, reason: shortened(&error.to_string()) }
        }
        Error::ChatResponse { body, .. } => {
            let reason = body.pointer("/error/message").or(body.get("message")).and_then(|reason| reason.as_str());
            AskError::Transport { model, reason: shortened(reason.unwrap_or("an error within the answer")) }
        }
        Error::ChatResponseGeneration { cause, .. } => AskError::Unparsable { model, reason: shortened(cause) },
        _ => AskError::Transport { model, reason: shortened(&with_causes(&error)) },
    }
}

/// The words of the server that explain a status.
fn body(error: &genai::Error) -> String {
    use genai::{Error, webc};
    let body = match error {
        Error::HttpError { body, .. } => body.as_str(),
        Error::WebModelCall { webc_error: webc::Error::ResponseFailedStatus { body, .. }, .. }
        | Error::WebAdapterCall { webc_error: webc::Error::ResponseFailedStatus { body, .. }, .. } => body.as_str(),
        _ => "",
    };
    let json = serde_json::from_str::<serde_json::Value>(body).ok();
    let message = |json: &serde_json::Value| {
        let message = json.pointer("/error/message").or(json.get("message")).or(json.get("error"))?;
        message.as_str().map(str::to_owned)
    };
    json.as_ref().and_then(message).unwrap_or_else(|| body.trim().to_owned())
}

/// An error and what caused it, each once.
fn with_causes(error: &genai::Error) -> String {
    let source: &dyn std::error::Error = match error {
        genai::Error::WebModelCall { webc_error: genai::webc::Error::Reqwest(source), .. } => source,
        other => other,
    };
    let mut text = source.to_string();
    let mut cause = source.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

fn shortened(text: &str) -> String {
    // Before it is cut: half a secret is found by nobody.
    let text = secret::text(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(REASON) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or("")),
        None if line.is_empty() => "it says nothing more".to_owned(),
        None => line,
    }
}
