//! Policies: who may do what. Everything about a step is known before it runs, so a policy is judged when the file is compiled.

use crate::diagnostic::{Code, Diagnostic};
use crate::tables::{Placed, Tables, Value};
use crate::workflow::page::only_recorded;
use aivm_schema::alias::also;
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// How bad it is when a step goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Risk {
    Low,
    #[default]
    Medium,
    High,
    Critical,
}

impl Risk {
    pub fn word(self) -> &'static str {
        match self {
            Risk::Low => "LOW",
            Risk::Medium => "MEDIUM",
            Risk::High => "HIGH",
            Risk::Critical => "CRITICAL",
        }
    }

    /// Does a person have to agree, whatever a policy allows?
    pub fn asks(self) -> bool {
        matches!(self, Risk::High | Risk::Critical)
    }
}

/// What may be done, the mildest first: of several judges the strictest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schemars(transform = also("REQUIRE_APPROVAL", "REQUIRES_APPROVAL"))]
#[schemars(transform = also("REQUIRE_APPROVAL", "APPROVAL"))]
pub(super) enum Decision {
    Allow,
    #[serde(alias = "REQUIRES_APPROVAL", alias = "APPROVAL")]
    RequireApproval,
    Deny,
}

/// Rules in the order in which they are tried.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Policy {
    rules: Vec<Rule>,
    /// When none fits.
    default: Decision,
}

/// One rule: a pattern ends in `*` or is a whole name.
#[derive(Clone, Debug, PartialEq)]
struct Rule {
    principal: String,
    capability: String,
    risk: Option<Risk>,
    /// Where it does not count.
    but_in: Vec<String>,
    decision: Decision,
}

/// What a policy is asked about.
pub(super) struct Request<'r> {
    /// Everybody on whose behalf it is: the owner, and the agent of the step.
    pub principals: &'r [String],
    pub capability: &'r str,
    pub risk: Risk,
    /// Where it would be done: `dev`, `staging`, `prod`.
    pub environment: &'r str,
}

impl Policy {
    /// The first rule that fits decides. What is risky needs a person, even where a rule allows it.
    pub fn judge(&self, request: &Request) -> Decision {
        match self.first_that_fits(request).map(|rule| rule.decision) {
            Some(Decision::Allow) if request.risk.asks() => Decision::RequireApproval,
            Some(decision) => decision,
            None => self.default,
        }
    }

    fn first_that_fits(&self, request: &Request) -> Option<&Rule> {
        let fits = |rule: &&Rule| {
            // `*` fits nobody in particular, too.
            (rule.principal == "*" || request.principals.iter().any(|principal| matches(&rule.principal, principal)))
                && matches(&rule.capability, request.capability)
                && rule.risk.is_none_or(|risk| risk == request.risk)
                && rule.but_in.iter().all(|environment| environment != request.environment)
        };
        self.rules.iter().find(fits)
    }

    /// What in it decides so.
    pub fn why(&self, request: &Request) -> String {
        match self.first_that_fits(request) {
            None if self.rules.is_empty() => "the policy has no rules, and its default decides".to_owned(),
            None => "no rule fits, and the policy's default decides; unless it is set, that is DENY".to_owned(),
            Some(Rule { but_in, .. }) if !but_in.is_empty() => {
                let allowed = but_in.join("`, `");
                format!(
                    "its `allowed_environments` are `{allowed}`, and this runs in `{}`, as `environment` of `metadata` says or leaves out",
                    request.environment
                )
            }
            Some(Rule { principal, capability, .. }) => {
                format!("the first rule that fits is for `{principal}` and `{capability}`")
            }
        }
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// How a policy is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "each rule that is wrong is told by itself; this is what may be written")]
pub(super) enum Policies {
    Rules(Vec<Written>),
    Table(Box<Rules>),
}

/// Rules, and what holds when none fits.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(transform = also("rules", "policies"), transform = also("rules", "policy"))]
#[allow(dead_code, reason = "as above")]
pub(super) struct Rules {
    /// They are tried in this order.
    #[serde(alias = "policies", alias = "policy")]
    rules: Vec<Written>,
    /// When none fits: `DENY` unless it says otherwise.
    default: Option<Decision>,
    version: serde_json::Value,
    name: serde_json::Value,
    description: serde_json::Value,
}

/// The three shapes of a rule, and what a schema's step of `policy` says, in one table.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Rule", transform = also("decision", "action"))]
pub(super) struct Written {
    name: Option<String>,
    description: Option<String>,
    /// `agent:NAME`, `user:NAME` or the bare name; a `*` stands at the end, or alone.
    principal: Option<Placed<String>>,
    /// What it is about: a name, or how names begin and a `*`.
    capability: Option<String>,
    /// The same, of several.
    capabilities: Vec<String>,
    /// Only what is exactly so risky.
    risk_level: Option<Risk>,
    /// `capability` and `risk_level`, in a table of their own.
    when: When,
    /// What holds when all that fits.
    #[serde(alias = "action")]
    decision: Option<Decision>,
    /// The rules of one agent, in place of `principal`.
    agent_name: Option<String>,
    /// What it may do; everything unless something is here.
    allowed_capabilities: Vec<String>,
    denied_capabilities: Vec<String>,
    /// What it may do when a person agrees.
    requires_approval_for: Vec<String>,
    /// Where it may do anything; everywhere unless something is here.
    allowed_environments: Vec<String>,
    /// Recorded, as the next.
    max_retries: Option<Placed<u32>>,
    timeout_seconds: Option<Placed<f64>>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct When {
    capability: Option<String>,
    risk_level: Option<Risk>,
}

/// A list of rules, or a table of rules and a `default`.
pub(super) fn read(tables: &mut Tables, warnings: &mut Vec<Diagnostic>, value: Value) -> Option<Policy> {
    let mut policy = Policy { rules: Vec::new(), default: Decision::Deny };
    let span = value.span();
    match value.into_inner() {
        DeValue::Array(rules) => read_rules(tables, warnings, &mut policy, rules.into_iter()),
        DeValue::Table(table) => read_table(tables, warnings, &mut policy, table, span),
        _ => {
            tables.wrong(span, "a policy is a list of rules, or a table with `rules` and `default`".to_owned());
            return None;
        }
    }
    Some(policy)
}

fn read_table(
    tables: &mut Tables,
    warnings: &mut Vec<Diagnostic>,
    policy: &mut Policy,
    mut table: DeTable,
    span: Range<usize>,
) {
    for key in ["policies", "policy", "rules"] {
        match table.remove(key).map(Spanned::into_inner) {
            Some(DeValue::Array(rules)) => read_rules(tables, warnings, policy, rules.into_iter()),
            Some(_) => tables.wrong(span.clone(), format!("`{key}` takes a list of rules")),
            None => {}
        }
    }
    let rest = tables.table::<Rules>("a policy", Spanned::new(span, DeValue::Table(table)));
    policy.default = rest.and_then(|rest| rest.default).unwrap_or(policy.default);
}

fn read_rules<'v>(
    tables: &mut Tables,
    warnings: &mut Vec<Diagnostic>,
    policy: &mut Policy,
    rules: impl Iterator<Item = Value<'v>>,
) {
    for rule in rules {
        let span = rule.span();
        let before = tables.errors.len();
        let Some(written) = tables.table::<Written>("a rule", rule) else { continue };
        // What it lacks may be what could not be read, which is told.
        if tables.errors.len() > before {
            continue;
        }
        match (&written.agent_name, &written.principal) {
            (Some(_), None) => policy.rules.extend(of_an_agent(tables, warnings, &written)),
            (None, Some(_)) => policy.rules.extend(of_a_principal(tables, warnings, written, span)),
            _ => tables.wrong(span, "a rule is for a `principal`, or for an `agent_name`".to_owned()),
        }
    }
}

fn of_a_principal(
    tables: &mut Tables,
    warnings: &mut Vec<Diagnostic>,
    written: Written,
    span: Range<usize>,
) -> Vec<Rule> {
    let Some(decision) = written.decision else {
        tables.wrong(span, "a rule has a `decision`: `ALLOW`, `REQUIRE_APPROVAL` or `DENY`".to_owned());
        return Vec::new();
    };
    let principal = written.principal.map_or_else(String::new, |principal| {
        if principal.get_ref().starts_with("role:") {
            let what = format!("the rule for `{}`, because nobody here has a role,", principal.get_ref());
            warnings.push(only_recorded(tables.span(principal.span()), &what));
        }
        principal.into_inner()
    });
    let mut capabilities: Vec<String> =
        written.capability.into_iter().chain(written.when.capability).chain(written.capabilities).collect();
    if capabilities.is_empty() {
        capabilities.push("*".to_owned());
    }
    for pattern in capabilities.iter().chain([&principal]) {
        if pattern.strip_suffix('*').unwrap_or(pattern).contains('*') {
            let message = format!("`{pattern}`: a `*` stands at the end, or alone");
            tables.wrong(span.clone(), message);
        }
    }
    let risk = written.risk_level.or(written.when.risk_level);
    let rule = |capability| Rule { principal: principal.clone(), capability, risk, but_in: Vec::new(), decision };
    capabilities.into_iter().map(rule).collect()
}

/// What the schema writes for an agent, as rules: where it may not be at all, what is denied, what needs a person, and what is
/// allowed; where something is allowed, everything else is not.
fn of_an_agent(tables: &Tables, warnings: &mut Vec<Diagnostic>, written: &Written) -> Vec<Rule> {
    let places = [
        ("max_retries", written.max_retries.as_ref().map(Placed::span)),
        ("timeout_seconds", written.timeout_seconds.as_ref().map(Placed::span)),
    ];
    for (key, span) in places {
        warnings.extend(span.map(|span| only_recorded(tables.span(span), &format!("`{key}` of a rule"))));
    }
    let principal = format!("agent:{}", written.agent_name.as_deref().unwrap_or_default());
    let rules = |capabilities: &[String], decision| {
        let rule = |capability: &String| Rule {
            principal: principal.clone(),
            capability: capability.clone(),
            risk: None,
            but_in: Vec::new(),
            decision,
        };
        capabilities.iter().map(rule).collect::<Vec<_>>()
    };
    let everything = ["*".to_owned()];
    let mut all = match written.allowed_environments.is_empty() {
        true => Vec::new(),
        false => rules(&everything, Decision::Deny),
    };
    all.iter_mut().for_each(|rule| rule.but_in.clone_from(&written.allowed_environments));
    all.extend(rules(&written.denied_capabilities, Decision::Deny));
    all.extend(rules(&written.requires_approval_for, Decision::RequireApproval));
    all.extend(rules(&written.allowed_capabilities, Decision::Allow));
    let rest = if written.allowed_capabilities.is_empty() { Decision::Allow } else { Decision::Deny };
    all.extend(rules(&everything, rest));
    all
}

/// The policy of a text, which stands in a file of its own.
pub(super) fn of_text(text: &str) -> Result<(Policy, Vec<Diagnostic>), Vec<Diagnostic>> {
    let document = super::yaml::read(text).map_err(|error| vec![error])?;
    let (mut tables, mut warnings) = (Tables::new(Code::Saga, 0), Vec::new());
    match read(&mut tables, &mut warnings, document) {
        Some(policy) if tables.errors.is_empty() => Ok((policy, warnings)),
        _ => Err(tables.errors),
    }
}
