//! Settings: flag over `AIVM_*` over `aivm.toml` over the user's file over the default. And `config show`.

use crate::args::{ConfigArgs, ConfigCommand, Global};
use crate::fail::{Exit, Failure};
use crate::project;
use aivm_lang::front::FrontMatter;
use serde_json::json;

/// The definitions of an `aivm.toml`.
pub fn split(text: &str) -> Result<FrontMatter, String> {
    FrontMatter::parse(text).map_err(|error| error.to_string().trim().to_owned())
}

/// Where it is told that a person is asked.
pub fn webhook() -> Option<String> {
    std::env::var("AIVM_APPROVAL_WEBHOOK").ok().filter(|address| !address.is_empty())
}

/// One setting: its name, its value, where that comes from.
struct Setting {
    name: &'static str,
    value: String,
    origin: String,
}

fn settings() -> Vec<Setting> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let here = std::env::current_dir().unwrap_or_default();
    let root = project::nearest(&here, "aivm.toml");
    let mut settings = Vec::new();
    settings.push(Setting {
        name: "state",
        value: project::state_folder().display().to_string(),
        origin: match variable("AIVM_STATE") {
            Some(_) => "AIVM_STATE".into(),
            None if project::nearest(&here, ".aivm").is_some() => "the nearest .aivm".into(),
            None => "default: .aivm here".into(),
        },
    });
    settings.push(Setting {
        name: "project",
        value: root.as_ref().map_or("none".into(), |root| root.join("aivm.toml").display().to_string()),
        origin: if root.is_some() { "the nearest aivm.toml".into() } else { "default".into() },
    });
    settings.push(Setting {
        name: "user",
        value: project::user_folder().map_or("none".into(), |folder| folder.display().to_string()),
        origin: if variable("XDG_CONFIG_HOME").is_some() { "XDG_CONFIG_HOME".into() } else { "HOME".into() },
    });
    let limits = root
        .and_then(|root| crate::library::read(&root.join("aivm.toml")).ok().flatten())
        .and_then(|text| split(&text).ok())
        .map(|front| front.limits)
        .unwrap_or_default();
    let mut limit = |name, value: Option<String>, default: &str| {
        let origin = if value.is_some() { "aivm.toml" } else { "default" };
        settings.push(Setting { name, value: value.unwrap_or(default.to_owned()), origin: origin.into() });
    };
    limit("limits.count", limits.count.map(|n| n.to_string()), "8");
    limit("limits.calls", limits.calls.map(|n| n.to_string()), "none");
    limit("limits.money", limits.money.map(|n| n.to_string()), "none");
    limit("limits.tokens", limits.tokens.map(|n| n.to_string()), "none");
    settings.push(Setting {
        name: "webhook",
        value: webhook().unwrap_or("none".into()),
        origin: if webhook().is_some() { "AIVM_APPROVAL_WEBHOOK".into() } else { "default".into() },
    });
    let (value, origin) = match (variable("NO_COLOR"), variable("CLICOLOR_FORCE")) {
        (Some(_), _) => ("never", "NO_COLOR"),
        (None, Some(_)) => ("always", "CLICOLOR_FORCE"),
        (None, None) => ("on a terminal", "default"),
    };
    settings.push(Setting { name: "colour", value: value.into(), origin: origin.into() });
    settings
}

/// `aivm config show`.
pub fn config(global: &Global, args: &ConfigArgs) -> Result<Exit, Failure> {
    let ConfigCommand::Show { origin } = &args.command;
    let settings = settings();
    if global.json {
        let rows: Vec<_> =
            settings.iter().map(|s| json!({"name": s.name, "value": s.value, "origin": s.origin})).collect();
        println!("{}", json!({"v": 1, "settings": rows}));
        return Ok(Exit::SENT);
    }
    let width = settings.iter().map(|setting| setting.value.len()).max().unwrap_or(0);
    for Setting { name, value, origin: from } in settings {
        match origin {
            true => println!("{name:<14} {value:<width$}  ({from})"),
            false => println!("{name:<14} {value}"),
        }
    }
    Ok(Exit::SENT)
}
