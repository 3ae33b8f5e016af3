//! Models: who is asked, where, under which key and at what price; which of several is asked first. One for all runs of a
//! process. What is asked and what the answer means is `work::model`'s.

use crate::limits::{Before, Limits, PER_TOKEN, TooLong};
use aivm_schema::unit::{Money, Tokens};
use aivm_schema::worker::{Ask, Offer, Rates};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

mod health;
mod price;

#[cfg(feature = "models")]
pub mod client;

pub use health::Health;
pub use price::{Price, Prices};

/// What a model is told of the form of its answer, in tokens: a bound of what is usual.
const FORM: u64 = 256;

/// What a model is shown of what its latest tool gave however little room its `context` leaves, in tokens.
pub const LATEST: u64 = 256;

/// What `aivm.toml` says of models.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `[models]`.
    pub models: Defaults,
    /// `[provider.NAME]`: servers of one's own, and other keys for those that are known.
    pub provider: BTreeMap<String, Provider>,
    /// `[price."provider/model"]`.
    pub price: BTreeMap<String, Price>,
}

/// `[models]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// Whom a worker asks that names no model: the preferred first.
    pub default: Vec<String>,
    /// What a bare name stands for: `sonnet = "anthropic/claude-sonnet-4-5"`.
    pub alias: BTreeMap<String, String>,
}

/// A server that answers for models.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    /// The protocol that it speaks, by the name of a provider that is known; `openai` unless set or the name is one.
    pub kind: Option<String>,
    /// Where it is; none: where the provider of that name is.
    pub url: Option<String>,
    /// The name of the secret that is its key; none: the usual one of its kind, or none where `url` is set.
    pub key: Option<String>,
    /// How often it is asked at most, whichever of its models and workers.
    pub limits: Rates,
}

/// A model's name, as it is written: `provider/model`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelName {
    /// Whom to ask.
    pub provider: String,
    /// For which model.
    pub model: String,
}

impl ModelName {
    /// Reads `provider/model`.
    pub fn parse(text: &str) -> Result<ModelName, String> {
        match text.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                Ok(ModelName { provider: provider.to_owned(), model: model.to_owned() })
            }
            _ => Err(format!(
                "`{text}` is no model: write `provider/model`, for example `ollama/{}`",
                if text.is_empty() { "qwen3" } else { text }
            )),
        }
    }
}

impl std::fmt::Display for ModelName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// What a question used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Tokens of the question.
    pub input: u64,
    /// Tokens of the answer.
    pub output: u64,
}

impl Used {
    /// All tokens.
    pub fn tokens(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

/// Why a model gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// It was not even asked: no key, no such provider, a request that cannot be made.
    #[error("E0901: {model} cannot be asked: {reason}")]
    Construction {
        /// Which.
        model: String,
        /// Why not.
        reason: String,
    },
    /// It could not be reached, or the connection broke.
    #[error("E0902: {model} was not reached: {reason}")]
    Transport {
        /// Which.
        model: String,
        /// Why not.
        reason: String,
    },
    /// It asks to be left alone for a while.
    #[error("E0903: {model} refused for its rate limit{}", after.map_or(String::new(), |after| format!(": again in {after} s")))]
    RateLimited {
        /// Which.
        model: String,
        /// In so many seconds, when it says so.
        after: Option<u64>,
    },
    /// It answered with an error.
    #[error("E0904: {model} answered with status {status}: {reason}")]
    Status {
        /// Which.
        model: String,
        /// Of HTTP.
        status: u16,
        /// What it said, shortened.
        reason: String,
    },
    /// It will not answer this.
    #[error("E0905: {model} refused to answer: {reason}")]
    Refused {
        /// Which.
        model: String,
        /// Why not, as far as it says.
        reason: String,
    },
    /// A limit says that it is asked later than its call may take.
    #[error("{}: {model} is not asked: {wait}", TooLong::CODE)]
    Limited {
        /// Which.
        model: String,
        /// How long it would wait, and for what.
        wait: TooLong,
    },
    /// What it answered cannot be read, twice.
    #[error("E0906: the answer of {model} cannot be used: {reason}")]
    Unparsable {
        /// Which.
        model: String,
        /// What is wrong.
        reason: String,
    },
}

impl AskError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            AskError::Construction { .. } => "E0901",
            AskError::Transport { .. } => "E0902",
            AskError::RateLimited { .. } => "E0903",
            AskError::Status { .. } => "E0904",
            AskError::Refused { .. } => "E0905",
            AskError::Limited { .. } => TooLong::CODE,
            AskError::Unparsable { .. } => "E0906",
        }
    }

    /// Does it say something about the model's health, and for how many seconds it is better left alone?
    pub fn ails_for(&self) -> Option<u64> {
        match self {
            AskError::RateLimited { after, .. } => Some(after.unwrap_or(10)),
            AskError::Transport { .. } => Some(30),
            AskError::Status { status, .. } if *status >= 500 => Some(30),
            _ => None,
        }
    }
}

/// Everything about models that the runs of a process share.
#[derive(Debug)]
pub struct Models {
    settings: Settings,
    prices: Prices,
    health: Health,
    limits: Limits,
    #[cfg(feature = "models")]
    client: std::sync::OnceLock<Result<client::Client, String>>,
}

impl Default for Models {
    fn default() -> Models {
        Models::new(Settings::default())
    }
}

impl Models {
    /// With these settings; what they price goes before what is known.
    pub fn new(settings: Settings) -> Models {
        let prices = Prices::known().with(settings.price.clone());
        Models {
            settings,
            prices,
            health: Health::default(),
            limits: Limits::default(),
            #[cfg(feature = "models")]
            client: std::sync::OnceLock::new(),
        }
    }

    /// With what was used before this process began.
    pub fn after(mut self, before: Before) -> Models {
        self.limits = Limits::with(before);
        self
    }

    /// How often workers and providers are called.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The models that are asked, in the order in which they are: those that a worker names, or the configured ones; those that
    /// have lately failed last.
    pub fn in_order(&self, named: &[String]) -> Vec<String> {
        let mut models = self.named(named);
        self.health.sort(&mut models);
        models
    }

    /// The same, as they are written.
    fn named(&self, named: &[String]) -> Vec<String> {
        let Defaults { default, alias } = &self.settings.models;
        let named = if named.is_empty() { default } else { named };
        named.iter().map(|name| alias.get(name).unwrap_or(name).clone()).collect()
    }

    /// What a name stands for.
    pub fn alias(&self, name: &str) -> String {
        self.settings.models.alias.get(name).map_or(name, String::as_str).to_owned()
    }

    /// The most that a call uses and costs, where the question is bounded by `context` and the answer by `max_tokens`: each of its
    /// models asked, and asked once more for an answer that could be read. A text of 4 bytes counts as a token.
    pub fn most(&self, ask: &Ask) -> (Option<Money>, Option<Tokens>) {
        let (Some(Tokens(context)), Some(answer)) = (ask.context, ask.options.max_tokens.map(u64::from)) else {
            return (None, None);
        };
        let size = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let examples = ask.examples.iter().map(|shown| shown.input.len() + size(&shown.verdict) + size(&shown.output));
        let offered = |offer: &Offer| offer.word.len() + offer.about.len() + offer.parameters().to_string().len();
        let offers = ask.tools.offers.iter().map(offered).sum::<usize>();
        let own = (ask.prompt.len() + examples.sum::<usize>() + offers) as u64 / PER_TOKEN + FORM;
        // The latest call was an answer, and is always shown.
        let latest =
            if ask.tools.is_empty() && ask.tools.offers.is_empty() { 0 } else { answer.saturating_add(LATEST) };
        let question = own.saturating_add(context).saturating_add(latest);
        let used = Used {
            input: question.saturating_mul(2).saturating_add(answer).saturating_add(FORM),
            output: answer.saturating_mul(2),
        };
        let names = self.named(&ask.models);
        if names.is_empty() {
            return (None, None);
        }
        let money = names.iter().map(|name| self.cost(name, used).map(|Money(money)| money)).sum::<Option<u64>>();
        (money.map(Money), Some(Tokens(used.tokens().saturating_mul(names.len() as u64))))
    }

    /// What this costs; none: the price is not known.
    pub fn cost(&self, model: &str, used: Used) -> Option<Money> {
        self.prices.of(model).map(|price| price.of(used))
    }

    /// Its health.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The settings of a provider, when there are any.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.settings.provider.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aivm_schema::worker::Tools;

    #[test]
    fn what_is_bounded_has_a_price() {
        let text = "[models]\ndefault = [\"a/b\", \"c/d\"]\n[price.\"a/*\"]\ninput = \"$1\"\noutput = \"$2\"";
        let models = Models::new(toml::from_str(text).expect("settings"));
        let mut ask = Ask { context: Some(Tokens(1_000)), models: vec!["a/b".to_owned()], ..Ask::default() };
        assert_eq!(models.most(&ask), (None, None), "its answer has no end");
        ask.options.max_tokens = Some(100);
        // Twice 1,256 in, 100 and 256 more in, 200 out.
        assert_eq!(models.most(&ask), (Some(Money(2_868 + 400)), Some(Tokens(3_068))));
        let offer = Offer { word: "look".to_owned(), about: "x".repeat(94), schema: Some(serde_json::json!({})) };
        let tools = Tools { allow: vec!["look".to_owned()], offers: vec![offer], ..Tools::default() };
        let with_tools = Ask { tools, ..ask.clone() };
        // Twice 25 of the offer, 100 of the latest call and 256 of what came of it.
        assert_eq!(models.most(&with_tools).1, Some(Tokens(3_068 + 2 * (25 + 100 + 256))));
        ask.models.clear();
        assert_eq!(models.most(&ask), (None, Some(Tokens(2 * 3_068))), "the other has no price");
        ask.context = None;
        assert_eq!(models.most(&ask), (None, None), "its question has no end");
    }

    #[test]
    fn a_bare_name_stands_for_what_settings_say() {
        let text = "[models]\ndefault = [\"fast\", \"a/b\"]\n[models.alias]\nfast = \"c/d\"";
        let models = Models::new(toml::from_str(text).expect("settings"));
        assert_eq!(models.in_order(&[]), ["c/d", "a/b"]);
        assert_eq!(models.in_order(&["x/y".to_owned(), "fast".to_owned(), "slow".to_owned()]), ["x/y", "c/d", "slow"]);
    }
}
