//! `--param`: what a run is given, held against what its program asks for.

use crate::args::How;
use crate::fail::Failure;
use aivm_lang::nearest;
use aivm_schema::module::Module;
use aivm_schema::param::{Param, Unfit, resolve};
use std::collections::BTreeMap;

/// `--param`, by name.
pub fn params(how: &How) -> Result<BTreeMap<String, String>, Failure> {
    let mut params = BTreeMap::new();
    for param in &how.params {
        let (key, value) = param
            .split_once('=')
            .filter(|(key, _)| aivm_schema::word::is_word(key))
            .ok_or_else(|| Failure::usage("E0806", format!("`--param {param}` is not KEY=VALUE")))?;
        if let Some(name) = aivm_host::secret::within(value.as_bytes()) {
            return Err(Failure::usage(
                "E0963",
                format!("`--param {key}` holds the secret {name}, and would be kept with the run"),
            )
            .help("commands have the variable itself; a header names it by `secret(\"NAME\")`"));
        }
        params.insert(key.to_owned(), value.to_owned());
    }
    Ok(params)
}

/// The parameters of a run: what is given, and what the program says where nothing is. Nothing is called before they fit.
pub fn resolved(how: &How, module: &Module) -> Result<BTreeMap<String, String>, Failure> {
    let declared = module.params.iter();
    let declared = declared.map(|row| Ok((row.name.clone(), Param::from_json(&row.definition)?)));
    let declared: BTreeMap<String, Param> = declared.collect::<Result<_, serde_json::Error>>().map_err(|error| {
        Failure::failed("E1080", format!("a parameter of the program cannot be read: {error}")).help("compile it anew")
    })?;
    resolve(&declared, params(how)?).map_err(|unfit| {
        let all: Vec<String> = unfit.iter().map(|one| told(one, &declared)).collect();
        let failure = Failure::usage("E1080", all.join("; "));
        failure.help(format!(
            "it takes {}",
            declared.iter().map(|(name, param)| takes(name, param)).collect::<Vec<_>>().join(", ")
        ))
    })
}

fn told(unfit: &Unfit, declared: &BTreeMap<String, Param>) -> String {
    match unfit {
        Unfit::Unknown(name) => match nearest(name, declared.keys().map(String::as_str)) {
            Some(near) => format!("the program has no parameter `{name}`; did you mean `{near}`?"),
            None => format!("the program has no parameter `{name}`"),
        },
        Unfit::Missing(name) => format!("the parameter `{name}` has to be given"),
        Unfit::Wrong(name, error) => format!("the parameter `{name}`: {error}"),
    }
}

/// `--param NAME=TYPE`, and what holds otherwise.
fn takes(name: &str, param: &Param) -> String {
    let what = match param.choices.as_slice() {
        [] => param.kind.word().to_uppercase(),
        choices => choices.join("|"),
    };
    match &param.default {
        Some(default) => format!("--param {name}={what} ({default} unless given)"),
        None if param.required => format!("--param {name}={what}"),
        None => format!("[--param {name}={what}]"),
    }
}
