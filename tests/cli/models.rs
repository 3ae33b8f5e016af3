//! Models as workers: who is asked and with what, what an answer may be, and what happens when there is none.

use super::fake::{Fake, Reply, text};
use super::*;
use std::process::Output;

const ASK: &str = "+++\n[worker.judge]\nprompt = \"Judge.\"\nmodel = [\"a/m\", \"b/m\"]\n+++\n\
    out <= ( switch[s] <= ( judge => send | cancel ) match <= ( fine => send  default => cancel ) ) <= in\n";

/// A project that knows these servers as `a`, `b`, ….
fn project(servers: &[&Fake], program: &str) -> tempfile::TempDir {
    let dir = folder();
    let mut settings = String::new();
    for (name, server) in ["a", "b", "c"].iter().zip(servers) {
        settings.push_str(&format!("[provider.{name}]\nurl = \"{}\"\n", server.url));
    }
    settings.push_str("[price.\"a/*\"]\ninput = \"$1\"\noutput = \"$2\"\n");
    write(dir.path(), "aivm.toml", &settings);
    write(dir.path(), "p.aivm", program);
    dir
}

fn run(dir: &tempfile::TempDir, more: &[&str]) -> Output {
    let args = ["run", "p.aivm", "--in", "the input", "--json"];
    aivm(dir.path(), &[&args, more].concat())
}

const PLAIN: &str = "+++\n[worker.w]\nprompt = \"Say it.\"\nmodel = \"a/m\"\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n";

#[test]
fn a_model_is_asked_with_its_prompt_and_what_flows() {
    let fake = Fake::new(vec![text("said")]);
    let dir = project(&[&fake], PLAIN);
    let output = run(&dir, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = json(&output);
    assert_eq!(report["output"]["text"], "said", "{report}");
    let step = &report["steps"][0];
    assert_eq!((step["tokens"].as_u64(), step["cost_usd"].as_f64()), (Some(15), Some(0.00002)), "{step}");
    let asked = &fake.asked()[0];
    assert_eq!(asked["model"], "m");
    assert_eq!(asked["messages"][0]["content"], "Say it.");
    assert_eq!(asked["messages"][1]["content"], "the input");
}
