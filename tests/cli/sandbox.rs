//! Commands that are held to their effects, as a user meets it: what is given, what is refused, and by whom it may be lifted.
//! Ways out are tried by `tests/escape.rs`.

use super::{aivm, command, folder, json, stderr, write};
use std::path::Path;
use std::process::Output;

/// Runs one command under one means; its definition is what is said.
fn held(folder: &Path, definition: &str, args: &[&str]) -> Output {
    let text = format!("+++\n[worker.x]\n{definition}\n+++\nout <= ( switch <= ( x => send ) ) <= in\n");
    write(folder, "p.aivm", &text);
    let mut all = vec!["run", "p.aivm", "--in", "hello", "-q"];
    all.extend(args);
    command(folder, &all).env_remove("AIVM_SANDBOX").env("TOKEN", "a token").output().expect("aivm runs")
}

/// Whether this machine has a means.
fn has(means: &str) -> bool {
    let dir = folder();
    let output = held(dir.path(), "run = \"cat\"\neffect = \"pure\"", &["--sandbox", means]);
    if !output.status.success() {
        eprintln!("skipped: no {means} here: {}", stderr(&output));
    }
    output.status.success()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn a_command_has_what_its_class_and_its_definition_give_it() {
    for means in ["bwrap", "landlock"] {
        if !has(means) {
            continue;
        }
        let (dir, outside) = (folder(), folder());
        write(dir.path(), "here", "here");
        write(outside.path(), "there", "there");
        let run = |definition: &str| held(dir.path(), definition, &["--sandbox", means]);
        let definition = |line: &str, more: &str| format!("run = '{line}'\n{more}");
        assert_eq!(said(&run(&definition("cat; cat here 2> /dev/null || echo no", "effect = \"pure\""))), "hellono");
        assert_eq!(said(&run(&definition("cat here", "effect = \"read\""))), "here");
        let (there, outside) = (outside.path().join("there"), outside.path().display().to_string());
        let look = format!("cat {} 2> /dev/null || echo no; echo ${{TOKEN:-none}}", there.display());
        assert_eq!(said(&run(&definition(&look, "effect = \"read\""))), "no\nnone");
        let given = format!("effect = \"read\"\nsandbox = {{ read = [\"{outside}\"], env = [\"TOKEN\"] }}");
        assert_eq!(said(&run(&definition(&look, &given))), "there***");
        write(dir.path(), "aivm.toml", &format!("[sandbox]\nread = [\"{outside}\"]\nenv = [\"TOKEN\"]\n"));
        assert_eq!(said(&run(&definition(&look, "effect = \"read\""))), "there***");
        assert!(said(&run(&definition(&look, "effect = \"pure\""))).ends_with("none"), "pure ones get no variable");
        let failed = run(&definition("echo x > made", "effect = \"read\""));
        assert!(stderr(&failed).contains("it ran in a sandbox, as `read`"), "{}", stderr(&failed));
        assert!(stderr(&failed).contains("E0717") && !dir.path().join("made").exists(), "{}", stderr(&failed));
        let verdict = "effect = \"pure\"\nwords = [\"send\"]";
        assert_eq!(said(&run(&definition("echo send > \"$AIVM_STEP_VERDICT\"; echo said", verdict))), "said");
        let gone = run("run = [\"no-such-program\"]\neffect = \"pure\"");
        assert!(stderr(&gone).contains("E0715"), "{}", stderr(&gone));
    }
}

#[test]
fn a_command_that_writes_has_the_project_and_not_the_runs() {
    if !has("bwrap") {
        return;
    }
    let dir = folder();
    let line = "run = 'echo x > made; ls .aivm | wc -l; echo > .aivm/planted; true'\neffect = \"idempotent\"";
    assert_eq!(said(&held(dir.path(), line, &["--sandbox", "bwrap"])), "1", "nothing but the call's own folder");
    assert!(dir.path().join("made").exists() && !dir.path().join(".aivm/planted").exists());
    if has("landlock") {
        let refused = held(dir.path(), line, &["--sandbox", "landlock"]);
        assert!(stderr(&refused).contains("E0933"), "{}", stderr(&refused));
    }
}

#[test]
fn no_sandbox_is_to_be_had_where_the_project_or_the_run_says_so() {
    let dir = folder();
    let asks = "run = 'echo ${TOKEN:-none}'\neffect = \"read\"\nsandbox = \"none\"";
    let refused = held(dir.path(), asks, &[]);
    assert!(stderr(&refused).contains("E0931"), "{}", stderr(&refused));
    assert_eq!(said(&held(dir.path(), asks, &["--sandbox", "opt-out"])), "a token");
    write(dir.path(), "aivm.toml", "[sandbox]\nopt_out = true\n");
    assert_eq!(said(&held(dir.path(), asks, &[])), "a token");
    let held_to = "run = 'echo ${TOKEN:-none}'\neffect = \"read\"";
    assert_eq!(said(&held(dir.path(), held_to, &["--sandbox", "none"])), "a token");
    write(dir.path(), "aivm.toml", "[sandbox]\nmeans = \"none\"\n");
    assert_eq!(said(&held(dir.path(), held_to, &[])), "a token");
}

#[test]
fn where_nothing_holds_a_command_that_declares_its_effect_does_not_run() {
    let dir = folder();
    let program = |effect: &str| {
        format!("+++\n[worker.x]\nrun = [\"/bin/cat\"]\n{effect}\n+++\nout <= ( switch <= ( x => send ) ) <= in\n")
    };
    let run = |effect: &str| {
        write(dir.path(), "p.aivm", &program(effect));
        let mut command = command(dir.path(), &["run", "p.aivm", "--in", "x"]);
        command.env("AIVM_SANDBOX", "bwrap").env("PATH", dir.path()).output().expect("aivm runs")
    };
    let declared = run("effect = \"read\"");
    assert!(
        stderr(&declared).contains("E0930") && stderr(&declared).contains("`bwrap` is not there"),
        "{}",
        stderr(&declared)
    );
    let undeclared = run("");
    assert_eq!((undeclared.status.code(), undeclared.stdout.as_slice()), (Some(0), &b"x"[..]));
    assert!(stderr(&undeclared).contains("run without a sandbox here"), "{}", stderr(&undeclared));
    let mut wrong = command(dir.path(), &["run", "p.aivm", "--json"]);
    let wrong = json(&wrong.env("AIVM_SANDBOX", "maybe").output().expect("aivm runs"));
    assert!(wrong["error"].to_string().contains("E0934"), "{wrong}");
}

#[test]
fn a_definition_gives_nothing_that_its_effect_rules_out() {
    let dir = folder();
    for (more, said) in [
        ("effect = \"pure\"\nsandbox = { network = true }", "contradicts `effect = \"pure\"`"),
        ("effect = \"pure\"\nsandbox = { env = [\"X\"] }", "contradicts `effect = \"pure\"`"),
        ("effect = \"read\"\nsandbox = { write = [\"/x\"] }", "contradicts `effect = \"read\"`"),
        ("sandbox = { read = [\"x\"] }", "is not an absolute path"),
        ("sandbox = { env = [\"A=B\"] }", "is not the name of a variable"),
        ("sandbox = \"off\"", "`sandbox` is \\\"none\\\", or a table"),
    ] {
        let output = held(dir.path(), &format!("run = \"cat\"\n{more}"), &[]);
        assert!(stderr(&output).contains(&said.replace('\\', "")), "{more}: {}", stderr(&output));
    }
    let output = held(dir.path(), "prompt = \"x\"\nsandbox = { network = false }", &[]);
    assert!(stderr(&output).contains("`sandbox` is for a command"), "{}", stderr(&output));
}

#[test]
fn a_held_command_is_asked_to_stop_before_it_is_made_to() {
    for means in ["bwrap", "landlock"] {
        if !has(means) {
            continue;
        }
        let (dir, state) = (folder(), folder());
        let definition = "run = 'trap \"echo asked > asked; exit 1\" TERM; sleep 30 & wait'\neffect = \"idempotent\"\ntimeout = \"400ms\"";
        let text = format!("+++\n[worker.x]\n{definition}\n+++\nout <= ( switch <= ( x => send ) ) <= in\n");
        write(dir.path(), "p.aivm", &text);
        let mut run = command(dir.path(), &["run", "p.aivm", "--sandbox", means]);
        let output = run.env("AIVM_STATE", state.path()).output().expect("aivm runs");
        assert_eq!(output.status.code(), Some(5), "{means}: {}", stderr(&output));
        assert!(dir.path().join("asked").exists(), "{means}");
    }
}

#[test]
fn the_setting_is_shown() {
    let dir = folder();
    for (word, held) in
        [("none", "commands are not held, as settings say"), ("bwrap", "/bwrap"), ("landlock", "by Landlock")]
    {
        let mut tried = command(dir.path(), &["doctor"]);
        let tried = tried.env("AIVM_SANDBOX", word).output().expect("aivm runs");
        let line =
            String::from_utf8_lossy(&tried.stdout).lines().find(|line| line.contains(" sandbox: ")).map(str::to_owned);
        let line = line.expect("a line for it");
        assert!(
            line.contains(held) && line.starts_with("ok ") || line.starts_with("FAIL ") && !has(word),
            "{word}: {line}"
        );
    }
    write(dir.path(), "aivm.toml", "[sandbox]\nmeans = \"bwrap\"\n");
    let mut shown = command(dir.path(), &["config", "show", "--origin"]);
    let shown = shown.env_remove("AIVM_SANDBOX").output().expect("aivm runs");
    let line =
        String::from_utf8_lossy(&shown.stdout).lines().find(|line| line.starts_with("sandbox")).map(str::to_owned);
    assert!(line.is_some_and(|line| line.contains("bwrap") && line.contains("aivm.toml")));
    let shown = String::from_utf8_lossy(&aivm(dir.path(), &["config", "show", "--origin"]).stdout).into_owned();
    assert!(shown.contains("AIVM_SANDBOX"), "{shown}");
}
