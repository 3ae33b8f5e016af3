//! What an aiTWS file says: every section and key as a type, read with all errors at their places.
//!
//! Not here: whether what one section names is in another, and what any of it does.

use crate::span::Span;
use crate::tables::{Placed, Tables, Value, keys};
use crate::workflow::english::English;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// A text and where it stands.
pub(super) type Text = Placed<String>;

/// An entry of a section, and where it stands.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(transparent, inline, description = "")]
pub(super) struct Entry<T> {
    #[schemars(skip)]
    pub span: Span,
    /// Something in it could not be read, which was told: what it lacks may have been meant there.
    #[schemars(skip)]
    pub is_broken: bool,
    pub is: T,
}

macro_rules! sections {
    ($($(#[$doc:meta])* $kind:ident $(($required:ident))? { $($(#[$of:meta])* $key:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        // Every key is read, so that what is wrong with it is told; with some of them nothing is done.
        #[allow(dead_code)]
        #[derive(Clone, Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $kind {
            $(pub $required: Text,)?
            $(#[serde(default)] $(#[$of])* pub $key: $type,)*
        }
    )*};
}

sections! {
    /// `[metadata]`: what the file is.
    Metadata {
        /// What it is called.
        name: String,
        /// Which version of it this is.
        version: String,
        /// What it does.
        description: String,
        /// Is it an error when a name means nothing, or an action has no worker?
        strict: bool,
    }
    /// `[communication]`.
    Communication { protocol: Option<Protocol>, cipher: Option<String>, port: Option<u16> }
    /// `[[roles]]`.
    Role(name) { privileges: Vec<String>, members: Vec<Text> }
    /// `[[repositories]]`.
    Repository(name) { url: Option<Text>, access_role: Option<Text> }
    /// `[[templates]]`.
    Template(name) { language: Option<String>, url: Option<Text> }
    /// `[keys]`.
    Keys { key_store: Option<KeyStore>, key_rotation_interval: Option<English> }
    /// `[ai_governance]`.
    Governance { data_privacy: Option<Privacy>, fairness: Option<String>, transparency: Option<String> }
    /// `[logging]`.
    Logging { level: Option<Level>, destination: Option<Logs> }
    /// `[monitoring]`.
    Monitoring {
        metrics_destination: Option<String>, tracing_destination: Option<String>, health_check_interval: Option<English>
    }
    /// `[error_handling]`: what is done when an action fails.
    ErrorHandling {
        /// How often it is done again.
        retry_count: u16,
        /// The wait before that, as `5 seconds`.
        retry_interval: Option<English>,
    }
    /// `[[dependencies]]`.
    Dependency(name) { version: Option<String> }
    /// `[auditing]`.
    Auditing { interval: Option<English>, report_destination: Option<String> }
    /// `[[stages]]`: they run one after the other.
    Stage(name) {
        /// Where it runs: in ascending order, and those without one last.
        order: Option<i64>,
        /// What is done in it, one after the other.
        actions: Vec<Action>,
    }
    /// `[[stages.actions]]`.
    Action(name) {
        /// The worker that does it; that of its name unless this is there.
        #[serde(rename = "type")]
        kind: Option<Text>,
    }
    /// `[[conditions]]`: what branches ask.
    Condition(name) {
        /// The worker that answers `yes` or something else.
        #[serde(rename = "type")]
        kind: Option<Text>,
        /// An expression in CEL, in place of a worker.
        when: Option<Text>,
    }
    /// `[[branches]]`: where it goes on.
    Branch(name) {
        /// What decides.
        condition: Option<Text>,
        /// The stage where it goes on when the condition holds; the next unless this is there.
        if_true: Option<Text>,
        /// The stage where it goes on when it does not.
        if_false: Option<Text>,
        /// The stage behind which it is asked.
        after: Option<Text>,
        /// How often it is asked at most.
        max_iterations: Option<std::num::NonZeroU16>,
    }
    /// `[[parallel_execution]]`: what is done at the same time.
    Parallel(name) {
        /// Names of actions, or of workers.
        tasks: Vec<Text>,
        /// Where it stands among the stages.
        order: Option<i64>,
    }
    /// `[[external_services]]`.
    Service(name) { #[serde(rename = "type")] kind: Option<String>, url: Option<Text> }
    /// `[[authorization]]`.
    Authorization(role) { allowed_actions: Vec<String> }
    /// `[[events]]`: what triggers wait for.
    Event(name) {
        /// The word that an action answers; or `STAGE.done`, `STAGE.failed`.
        #[serde(rename = "type")]
        kind: Option<Text>,
    }
    /// `[[triggers]]`: which handler is called when an event fires.
    Trigger(name) { event: Option<Text>, handler: Option<Text> }
    /// `[[handlers]]`: what is done then.
    Handler(name) { action: Option<Text> }
    /// `[version_control]`.
    VersionControl { system: Option<String>, url: Option<Text>, branch: Option<String> }
    /// `[change_management]`: who agrees before the first stage.
    ChangeManagement {
        /// Is a person asked?
        review_required: bool,
        /// Whose decision it is.
        approval_roles: Vec<Text>,
    }
    /// `[[monitors]]`.
    Monitor(name) { #[serde(rename = "type")] kind: Option<String>, target: Option<Text> }
    /// `[[notifications]]`.
    Notification(name) { #[serde(rename = "type")] kind: Option<String>, target: Option<Text> }
    /// `[[pipelines]]`: stages that an action of this type runs.
    Pipeline(name) { stages: Vec<Text> }
    /// `[[tasks]]`: what an action is for.
    Task(name) { description: String, priority: Option<String> }
}

macro_rules! choices {
    ($($(#[$doc:meta])* $kind:ident { $($(#[$of:meta])* $variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
        pub(super) enum $kind { $($(#[$of])* $variant),* }
    )*};
}

choices! {
    /// How services talk.
    Protocol { #[serde(rename = "TLS")] Tls, #[serde(rename = "DTLS")] Dtls, #[serde(rename = "QUIC")] Quic }
    /// Who keeps the keys.
    KeyStore {
        #[serde(rename = "AWS_KMS")] Aws, #[serde(rename = "GCP_KMS")] Gcp,
        #[serde(rename = "Azure_Key_Vault")] Azure, #[serde(rename = "HashiCorp_Vault")] Vault,
    }
    /// Which law of privacy holds.
    Privacy {
        #[serde(rename = "GDPR")] Gdpr, #[serde(rename = "CCPA")] Ccpa,
        #[serde(rename = "PIPEDA")] Pipeda, #[serde(rename = "LGPD")] Lgpd,
    }
    /// How much is logged.
    Level {
        #[serde(rename = "error")] Error, #[serde(rename = "warn")] Warn,
        #[serde(rename = "info")] Info, #[serde(rename = "debug")] Debug,
    }
    /// Where it is logged.
    Logs { CloudWatch, Stackdriver, #[serde(rename = "Azure_Monitor")] AzureMonitor, Elasticsearch }
}

macro_rules! file {
    (tables { $($table:ident: $single:ty),* $(,)? } lists { $($list:ident: $entry:ty),* $(,)? }) => {
        /// An aiTWS file.
        #[allow(dead_code)]
        #[derive(Clone, Debug, Default, JsonSchema)]
        #[schemars(title = "Aitws", deny_unknown_fields)]
        pub(super) struct File {
            $(pub $table: Option<Entry<$single>>,)*
            $(#[schemars(default)] pub $list: Vec<Entry<$entry>>,)*
            /// Something has a name that could not be read, which was told: whatever is not found may be that.
            #[schemars(skip)]
            pub hides_names: bool,
        }

        /// The sections that a file can have, each with its keys, and whether it is a list.
        pub(super) fn sections() -> Vec<(&'static str, Vec<&'static str>, bool)> {
            vec![
                $((stringify!($table), keys::<$single>(), false),)*
                $((stringify!($list), keys::<$entry>(), true),)*
            ]
        }

        impl File {
            fn section(&mut self, tables: &mut Tables, key: Span, name: &str, value: Value) -> bool {
                match name {
                    $(stringify!($table) => self.$table = single(tables, key, name, value),)*
                    $(stringify!($list) => self.$list = list(tables, name, value, &mut self.hides_names),)*
                    _ => return false,
                }
                true
            }
        }
    };
}

file! {
    tables {
        metadata: Metadata, communication: Communication, keys: Keys, ai_governance: Governance, logging: Logging,
        monitoring: Monitoring, error_handling: ErrorHandling, auditing: Auditing, version_control: VersionControl,
        change_management: ChangeManagement,
    }
    lists {
        roles: Role, repositories: Repository, templates: Template, dependencies: Dependency, stages: Stage,
        conditions: Condition, branches: Branch, parallel_execution: Parallel, external_services: Service,
        authorization: Authorization, events: Event, triggers: Trigger, handlers: Handler, monitors: Monitor,
        notifications: Notification, pipelines: Pipeline, tasks: Task,
    }
}

/// Reads a file; what is wrong with it is in the tables.
pub(super) fn read(tables: &mut Tables, table: DeTable) -> File {
    let mut file = File::default();
    for (key, value) in table {
        let (range, name) = (key.span(), key.into_inner().into_owned());
        let span = tables.span(range.clone());
        if !file.section(tables, span, &name, value) {
            let known: Vec<&str> = sections().iter().map(|(name, ..)| *name).collect();
            tables.unknown(range, "an aiTWS file", &name, &known);
        }
    }
    file
}

fn single<T: DeserializeOwned>(tables: &mut Tables, key: Span, name: &str, value: Value) -> Option<Entry<T>> {
    if value.get_ref().is_array() {
        tables.wrong(value.span(), format!("`{name}` is there once: write `[{name}]`"));
        return None;
    }
    let before = tables.errors.len();
    let is = tables.table(&format!("`[{name}]`"), value)?;
    Some(Entry { span: key, is_broken: tables.errors.len() > before, is })
}

fn list<T: DeserializeOwned + Fill>(
    tables: &mut Tables,
    name: &str,
    value: Value,
    hides_names: &mut bool,
) -> Vec<Entry<T>> {
    let range = value.span();
    let DeValue::Array(entries) = value.into_inner() else {
        tables.wrong(range, format!("`{name}` may be there several times: write `[[{name}]]`"));
        *hides_names = true;
        return Vec::new();
    };
    let mut read = Vec::new();
    for mut entry in entries {
        let (span, before) = (tables.span(entry.span()), tables.errors.len());
        let inner = match (entry.get_mut(), T::INNER) {
            (DeValue::Table(table), Some(inner)) => table.remove(inner),
            _ => None,
        };
        let Some(mut is) = tables.table::<T>(&format!("`[[{name}]]`"), entry) else {
            *hides_names = true;
            // What stands in it is wrong or right by itself.
            inner.into_iter().for_each(|inner| T::look(tables, inner));
            continue;
        };
        if let Some(inner) = inner {
            is.fill(tables, inner, hides_names);
        }
        read.push(Entry { span, is_broken: tables.errors.len() > before, is });
    }
    read
}

/// An entry that has entries of its own is read before them, so that each of theirs that is wrong is told by itself.
trait Fill {
    /// Their key.
    const INNER: Option<&'static str> = None;

    /// Takes them in.
    fn fill(&mut self, _: &mut Tables, _: Value, _: &mut bool) {}

    /// Tells what is wrong with them.
    fn look(_: &mut Tables, _: Value) {}
}

impl Fill for Stage {
    const INNER: Option<&'static str> = Some("actions");

    fn fill(&mut self, tables: &mut Tables, actions: Value, hides_names: &mut bool) {
        let actions = list(tables, "stages.actions", actions, hides_names);
        self.actions = actions.into_iter().map(|action| action.is).collect();
    }

    fn look(tables: &mut Tables, actions: Value) {
        list::<Action>(tables, "stages.actions", actions, &mut false);
    }
}

macro_rules! plain {
    ($($kind:ty),*) => {$(impl Fill for $kind {})*};
}

plain!(
    Role,
    Repository,
    Template,
    Dependency,
    Action,
    Condition,
    Branch,
    Parallel,
    Service,
    Authorization,
    Event,
    Trigger,
    Handler,
    Monitor,
    Notification,
    Pipeline,
    Task
);
