//! aiTWS files through the whole program: the sample of the seed, and small ones whose workers are commands.

use super::{aivm, folder, json, stderr, stdout, steps, told, write};
use std::path::Path;
use std::process::Output;

const SAMPLE: &str = include_str!("../samples/aitws/ai.toml");

fn run(dir: &Path, text: &str, more: &[&str]) -> Output {
    write(dir, "ai.toml", text);
    aivm(dir, &[&["run", "ai.toml", "--in", "x", "--json"], more].concat())
}

#[test]
fn the_sample_loads_draws_and_runs_with_mocks() {
    let dir = folder();
    let mocked = run(dir.path(), SAMPLE, &["--mock"]);
    assert_eq!(mocked.status.code(), Some(0), "{}", stderr(&mocked));
    let ran = steps(&json(&mocked));
    assert_eq!(ran.first().map(String::as_str), Some("Review/review#1 → next"));
    assert_eq!(ran.len(), 12, "{ran:?}");
    let drawn = stdout(&aivm(dir.path(), &["graph", "ai.toml"]));
    assert!(drawn.starts_with("<svg") && drawn.contains("Regeneration"), "{drawn}");
    let checked = aivm(dir.path(), &["check", "ai.toml", "--json"]);
    assert_eq!(checked.status.code(), Some(0));
    let found = json(&checked)["files"][0]["diagnostics"].as_array().expect("diagnostics").clone();
    for code in ["E1007", "E1041", "E1042", "E1044", "E1046"] {
        assert!(found.iter().any(|one| one["code"] == code), "{code}: {found:?}");
    }
    assert!(!stdout(&checked).contains("user:password"));
}

#[test]
fn strict_takes_what_dangles_for_an_error() {
    let dir = folder();
    write(dir.path(), "ai.toml", SAMPLE);
    let strict = aivm(dir.path(), &["check", "--strict", "ai.toml"]);
    assert_eq!(strict.status.code(), Some(2));
    assert!(stderr(&strict).contains("--strict takes them for errors"), "{}", stderr(&strict));
    write(dir.path(), "ai.toml", &SAMPLE.replace("version = \"1.0.0\"", "version = \"1.0.0\"\nstrict = true"));
    for command in ["check", "run"] {
        let refused = aivm(dir.path(), &[command, "ai.toml"]);
        assert_eq!(refused.status.code(), Some(2), "{command}");
        assert!(stderr(&refused).contains("E1047"), "{}", stderr(&refused));
    }
    // Only hints are left of a file whose names are all there.
    write(
        dir.path(),
        "ok.toml",
        "[logging]\nlevel = \"info\"\n[[stages]]\nname = \"a\"\n[[stages.actions]]\nname = \"clean\"\n",
    );
    let sound = aivm(dir.path(), &["check", "--strict", "ok.toml"]);
    assert_eq!(sound.status.code(), Some(0), "{}", stderr(&sound));
    assert!(stderr(&sound).contains("E1007"), "{}", stderr(&sound));
}

#[test]
fn an_action_that_nobody_does_fails_and_says_how_to_bind_it() {
    let dir = folder();
    let text = "[[stages]]\nname = \"Go\"\n[[stages.actions]]\nname = \"Make\"\ntype = \"make_things\"\n";
    let failed = run(dir.path(), text, &[]);
    assert_eq!(failed.status.code(), Some(1));
    let report = json(&failed);
    assert_eq!(report["steps"][0]["error"]["code"], "E1090", "{report}");
    assert!(
        report["steps"][0]["error"]["message"].as_str().unwrap_or("").contains("workers/make_things.toml"),
        "{report}"
    );
    std::fs::create_dir(dir.path().join("workers")).expect("a folder");
    write(dir.path(), "workers/make_things.toml", "run = \"tr a-z A-Z\"\neffect = \"pure\"\n");
    let sent = run(dir.path(), text, &[]);
    assert_eq!(json(&sent)["output"]["text"], "X", "{}", stderr(&sent));
}

/// A file beside which there are commands.
fn with_workers(workers: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = folder();
    std::fs::create_dir(dir.path().join("workers")).expect("a folder");
    for (name, text) in workers {
        write(dir.path(), &format!("workers/{name}.toml"), text);
    }
    dir
}

#[test]
fn a_branch_goes_back_until_its_condition_holds() {
    let dir = with_workers(&[
        ("improve", "run = \"cat; printf y\"\neffect = \"pure\"\n"),
        (
            "is_long",
            "run = 'test $(wc -c) -ge 4 && echo yes > $AIVM_STEP_VERDICT || echo no > $AIVM_STEP_VERDICT'\neffect = \"pure\"\nwords = [\"yes\", \"no\"]\n",
        ),
    ]);
    let text = "[[stages]]\nname = \"Improve\"\n[[stages.actions]]\nname = \"improve\"\n[[conditions]]\nname = \"Long\"\ntype = \"is_long\"\n\
        [[branches]]\nname = \"Enough\"\ncondition = \"Long\"\nif_false = \"Improve\"\nafter = \"Improve\"\nmax_iterations = MOST\n";
    let sent = run(dir.path(), &text.replace("MOST", "5"), &[]);
    assert_eq!(json(&sent)["output"]["text"], "xyyy", "{}", stdout(&sent));
    assert_eq!(steps(&json(&sent)).len(), 6);
    let spent = run(dir.path(), &text.replace("MOST", "2"), &[]);
    assert_eq!(spent.status.code(), Some(1), "a no does not become a yes: {}", stdout(&spent));
}

#[test]
fn a_condition_in_cel_chooses_the_way() {
    let dir = with_workers(&[
        ("shout", "run = \"tr a-z A-Z\"\neffect = \"pure\"\n"),
        ("mark", "run = \"cat; printf !\"\neffect = \"pure\"\n"),
    ]);
    let text = "[[stages]]\nname = \"Shout\"\n[[stages.actions]]\nname = \"shout\"\n[[stages]]\nname = \"Mark\"\n[[stages.actions]]\nname = \"mark\"\n\
        [[conditions]]\nname = \"Short\"\nwhen = \"size(input) < 2\"\n\
        [[branches]]\nname = \"Which\"\ncondition = \"Short\"\nif_true = \"Shout\"\nif_false = \"Mark\"\n";
    write(dir.path(), "ai.toml", text);
    for (input, output) in [("x", "X!"), ("xyz", "xyz!")] {
        let sent = aivm(dir.path(), &["run", "ai.toml", "--in", input, "--json"]);
        assert_eq!(json(&sent)["output"]["text"], output, "{}{}", stdout(&sent), stderr(&sent));
    }
}

#[test]
fn an_event_calls_its_handler_and_a_failure_stays_one() {
    let dir = with_workers(&[
        (
            "make",
            "run = 'echo made; echo resource_creation > $AIVM_STEP_VERDICT'\neffect = \"pure\"\nwords = [\"resource_creation\"]\n",
        ),
        ("break", "run = \"echo no disk >&2; exit 1\"\neffect = \"read\"\n"),
        ("tell", "run = 'echo \"${AIVM_STEP_ERROR:-fine}\" >> told'\neffect = \"irreversible\"\n"),
    ]);
    let text = "[error_handling]\nretry_count = 2\nretry_interval = \"10 milliseconds\"\n\
        [[stages]]\nname = \"Make\"\n[[stages.actions]]\nname = \"make\"\n\
        [[stages]]\nname = \"Break\"\n[[stages.actions]]\nname = \"break\"\n\
        [[events]]\nname = \"Made\"\ntype = \"resource_creation\"\n[[events]]\nname = \"Broken\"\ntype = \"Break.failed\"\n\
        [[triggers]]\nname = \"a\"\nevent = \"Made\"\nhandler = \"Tell\"\n[[triggers]]\nname = \"b\"\nevent = \"Broken\"\nhandler = \"Tell\"\n\
        [[handlers]]\nname = \"Tell\"\naction = \"tell\"\n";
    let failed = run(dir.path(), text, &[]);
    assert_eq!(failed.status.code(), Some(1), "{}", stdout(&failed));
    let report = json(&failed);
    assert_eq!(report["status"], "failed");
    let tried = report["steps"].as_array().expect("steps").iter().filter(|row| row["key"] == "Break/break#1").count();
    assert_eq!(tried, 3, "{report}");
    let told = std::fs::read_to_string(dir.path().join("told")).expect("it was told");
    let told: Vec<&str> = told.lines().collect();
    assert!(told.len() == 2 && told[0] == "fine" && told[1].contains("no disk"), "{told:?}");
    assert!(stdout(&failed).contains("E1094"), "{report}");
}

#[test]
fn a_run_waits_for_the_review_that_the_file_wants() {
    let dir = folder();
    let text = "[metadata]\nname = \"Release\"\n[change_management]\nreview_required = true\napproval_roles = [\"Administrator\"]\n\
        [[roles]]\nname = \"Administrator\"\n[[stages]]\nname = \"Go\"\n[[stages.actions]]\nname = \"clean\"\n";
    let parked = run(dir.path(), text, &[]);
    assert_eq!(parked.status.code(), Some(4), "{}", stdout(&parked));
    let report = json(&parked);
    assert_eq!(report["questions"][0]["question"], "May “Release” run? It is up to: Administrator.");
    let name = report["run"].as_str().expect("a name");
    let approved = aivm(dir.path(), &["approve", name, "next"]);
    assert_eq!(approved.status.code(), Some(0), "{}", stderr(&approved));
}

#[test]
fn every_run_of_the_regenerative_example_is_better_than_the_one_before() {
    let dir = folder();
    let copy = dir.path().join("letters");
    let copied = aivm(dir.path(), &["try", "regenerate", "--copy", copy.to_str().expect("a path")]);
    assert_eq!(copied.status.code(), Some(0), "{}", stderr(&copied));
    let program = || std::fs::read_to_string(copy.join("model/answer.awk")).expect("a program");
    let (mut scores, mut versions, mut last) = (Vec::new(), vec![program()], String::new());
    for _ in 0..3 {
        let ran = aivm(&copy, &["run", "ai.toml", "--in", "@input.tsv", "--json"]);
        assert_eq!(ran.status.code(), Some(0), "{}{}", stdout(&ran), stderr(&ran));
        let said = json(&ran)["output"]["text"].as_str().expect("a text").to_owned();
        let right: u32 = said.split(' ').next().and_then(|number| number.parse().ok()).expect("how many were right");
        scores.push(right);
        versions.push(program());
        last = json(&ran)["run"].as_str().expect("a name").to_owned();
    }
    let before_last = versions[2].clone();
    assert!(scores.windows(2).all(|pair| pair[0] < pair[1]), "{scores:?}");
    assert!(versions.windows(2).all(|pair| pair[0] != pair[1]));
    let mut kept: Vec<String> = std::fs::read_dir(copy.join("model/versions"))
        .expect("versions")
        .flatten()
        .map(|entry| std::fs::read_to_string(entry.path()).expect("a version"))
        .collect();
    kept.sort();
    versions[1..].sort();
    assert_eq!(kept, versions[1..], "every version that was in use is there");
    // What a run has learned that is taken back is forgotten.
    let back = aivm(&copy, &["rollback", &last]);
    assert_eq!(back.status.code(), Some(0), "{}", stderr(&back));
    assert_eq!(program(), before_last);
}

const NIGHTLY: &str = "[[stages]]\nname = \"One\"\norder = 1\nactions = [{ name = \"a\" }]\n\
    [[stages]]\nname = \"Two\"\norder = 2\nactions = [{ name = \"b\" }]\n\
    [[stages]]\nname = \"Three\"\norder = 3\nactions = [{ name = \"c\" }]\n\
    [[pipelines]]\nname = \"Nightly\"\nstages = [\"Three\", \"One\"]\n";

#[test]
fn one_pipeline_runs_alone_and_in_its_order() {
    let dir = folder();
    let mocked = run(dir.path(), NIGHTLY, &["--mock", "--pipeline", "Nightly"]);
    assert_eq!(mocked.status.code(), Some(0), "{}{}", stdout(&mocked), stderr(&mocked));
    assert_eq!(steps(&json(&mocked)), ["Three/c#1 → next", "One/a#1 → next"]);
    for command in [&["check"][..], &["cost"], &["graph", "--format", "text"], &["fmt", "--to", "aivm"]] {
        let told = aivm(dir.path(), &[command, &["ai.toml", "--pipeline", "Nightly"]].concat());
        assert_eq!(told.status.code(), Some(0), "{command:?} {}", stderr(&told));
        assert!(!stdout(&told).contains("Two"), "{command:?} {}", stdout(&told));
    }
    let unknown = aivm(dir.path(), &["run", "ai.toml", "--mock", "--pipeline", "Nihgtly"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("E1025") && stderr(&unknown).contains("`Nightly`"), "{}", stderr(&unknown));
}

#[test]
fn who_has_not_the_role_runs_nothing() {
    let dir = folder();
    let roles = "[[roles]]\nname = \"Dev\"\nprivileges = [\"a\"]\nmembers = [\"bob\"]\n\
        [[roles]]\nname = \"Ops\"\nmembers = [\"ada\"]\n[[authorization]]\nrole = \"Ops\"\nallowed_actions = [\"execute\"]\n";
    write(dir.path(), "ai.toml", &format!("{NIGHTLY}{roles}"));
    let run_as = |who: &str, more: &[&str]| {
        let args = [&["run", "ai.toml", "--mock", "--in", "x"], more].concat();
        super::command(dir.path(), &args).env("USER", who).output().expect("aivm runs")
    };
    let refused = run_as("bob", &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", stdout(&refused));
    assert!(stderr(&refused).contains("E1026") && stderr(&refused).contains("may not do `b`"), "{}", stderr(&refused));
    assert!(stdout(&aivm(dir.path(), &["runs"])).is_empty(), "nothing has begun");
    for who in ["ada", "nobody-in-particular"] {
        assert_eq!(run_as(who, &[]).status.code(), Some(0), "{who}");
    }
}

#[test]
fn no_error_hides_another_and_none_makes_another() {
    let text = r#"
[metadata]
strict = true
[[stages]]
nme = "A"
[[stages.actions]]
tpe = "x"
name = "read"
[[conditions]]
name = "C"
when = "input ="
[[branches]]
name = "b"
condition = "C"
if_false = "A"
max_iterations = 0
[[branches]]
name = "c"
condition = 5
[[branches]]
if_true = "A"
"#;
    let folder = folder();
    let told = told(folder.path(), "ai.toml", text);
    let expected = [
        "5: `[[stages]]` has no key `nme`",
        "7: `[[stages.actions]]` has no key `tpe`",
        "11: `when` of `[[conditions]]` is no condition in CEL",
        "16: `max_iterations` of `[[branches]]`: it takes a whole number from 1 to 65535, not `0`",
        "19: `condition` of `[[branches]]`: it takes a text, not `5`",
        "20: `[[branches]]` has no `name`",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (told, expected) in told.iter().zip(expected) {
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}
