//! What goes wrong around a program: pipes that close, disks that fill, signals, workers that leave nonsense, files in the way.

use super::{SHOUT, aivm, command, folder, json, stderr, write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A file to which nothing can be written, as on a full disk; not every system has one.
fn full() -> Option<Stdio> {
    std::fs::OpenOptions::new().write(true).open("/dev/full").ok().map(Stdio::from)
}

/// The writing end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

#[test]
fn no_command_crashes_on_a_closed_pipe_and_lost_output_is_no_success() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    write(dir.path(), "wrong.aivm", "out <= ( switch <= ( nope => next ) ) <= in\n");
    for line in [
        "run p.aivm --in x",
        "run p.aivm --in x --json",
        "run wrong.aivm",
        "run wrong.aivm --json",
        "check p.aivm",
        "cost p.aivm",
        "graph p.aivm",
        "disasm p.aivm",
        "explain",
        "explain E0104",
        "worker ls",
        "worker show save --json",
        "artifact ls",
        "config show",
        "doctor",
        "try",
        "try --list",
        "completions zsh",
        "--help",
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let right = if line.contains("wrong") { 2 } else { 0 };
        let status = command(dir.path(), &args).stdout(closed()).stderr(closed()).status().expect("aivm runs");
        assert_eq!(status.code(), Some(right), "{line} into a closed pipe");
        let Some(full) = full() else { continue };
        let lost = command(dir.path(), &args).stdout(full).output().expect("aivm runs");
        assert_eq!(lost.status.code(), Some(right.max(1)), "{line} onto a full disk");
        assert!(
            stderr(&lost).contains(if line == "run wrong.aivm" { "error" } else { "E0810" }),
            "{line}: {}",
            stderr(&lost)
        );
    }
}

#[test]
fn what_cannot_be_kept_is_not_said_to_have_happened() {
    let dir = folder();
    // The store breaks while the run is under way.
    let text = "+++\n[worker.big]\nrun = \"head -c 100000 /dev/zero; rm -rf .aivm/objects; echo > .aivm/objects\"\n+++\nout <= ( switch <= ( big => next ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let output = aivm(dir.path(), &["run", "p.aivm", "--json"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("E0751") && !said.contains("\"sent\""), "{said}");
}

/// Starts a run that waits at a command, and sends it a signal so often.
fn signalled(text: &str, signal: &str, times: usize) -> (tempfile::TempDir, Option<i32>) {
    let dir = folder();
    write(dir.path(), "p.aivm", text);
    let mut child = command(dir.path(), &["run", "p.aivm", "--ephemeral"])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("aivm runs");
    for nth in 1..=times {
        let began = Instant::now();
        while !dir.path().join(format!("waiting{nth}")).exists() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let kill = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }
    let code = child.wait().expect("it ends").code();
    (dir, code)
}

#[test]
fn every_signal_that_ends_a_run_ends_its_commands_and_undoes() {
    let text = "+++\n[worker.make]\nrun = \"touch made; cat\"\n[worker.unmake]\nrun = \"rm made\"\n[worker.slow]\nrun = \"touch waiting1; sleep 1; touch survived; sleep 30\"\n+++\nout <= ( switch <= ( make ~ unmake => next  slow => send ) ) <= in\n";
    for signal in ["TERM", "HUP"] {
        let (dir, code) = signalled(text, signal, 1);
        assert_eq!(code, Some(130), "{signal}");
        assert!(!dir.path().join("made").exists(), "{signal}: what was made is undone");
        std::thread::sleep(Duration::from_millis(1_500));
        assert!(!dir.path().join("survived").exists(), "{signal}: the command is gone");
    }
}

#[test]
fn a_second_interrupt_leaves_an_undoer_that_takes_for_ever() {
    let text = "+++\n[worker.make]\nrun = \"cat\"\n[worker.unmake]\nrun = \"touch waiting2; sleep 1000\"\n[worker.slow]\nrun = \"touch waiting1; sleep 1000\"\n+++\nout <= ( switch <= ( make ~ unmake => next  slow => send ) ) <= in\n";
    assert_eq!(signalled(text, "INT", 2).1, Some(7));
}

#[test]
fn a_deadline_holds_where_nothing_is_ever_waited_for() {
    let dir = folder();
    let mut text = String::new();
    for n in 0..50 {
        text.push_str(&format!("d{n} <= ( switch <= ( d{0} => next  d{0} => next ) )\n", n + 1));
    }
    text.push_str("d50 <= ( switch <= ( clean => next ) )\nout <= ( switch <= ( d0 => next ) ) <= in\n");
    write(dir.path(), "p.aivm", &text);
    let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral", "--quiet", "--timeout", "100ms"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
}

#[test]
fn a_built_in_keeps_to_the_deadline_of_its_step() {
    let dir = folder();
    // The pattern reads all that is left before each letter: minutes of work.
    let text = "+++\n[worker.x]\nbuiltin = \"extract\"\nwith = { what = \"pattern\", pattern = \"a*b|a\" }\n+++\nout <= ( switch <= ( x<200ms> => send ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    write(dir.path(), "in.txt", &"a".repeat(500_000));
    let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral", "--in", "@in.txt"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("E0712"), "{}", stderr(&output));
}

#[test]
fn a_verdict_that_cannot_be_read_is_a_failure() {
    let dir = folder();
    for leave in [
        "printf '\\377cancel' > $AIVM_STEP_VERDICT",
        "mkdir $AIVM_STEP_VERDICT",
        "mkfifo $AIVM_STEP_VERDICT",
        "ln -s /dev/zero $AIVM_STEP_VERDICT",
        "head -c 100000 /dev/zero > $AIVM_STEP_VERDICT",
    ] {
        let text =
            format!("+++\n[worker.x]\nrun = '''{leave}'''\n+++\nout <= ( switch <= ( x => send | cancel ) ) <= in\n");
        write(dir.path(), "p.aivm", &text);
        let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral"]);
        assert_eq!(output.status.code(), Some(1), "{leave}: {}", stderr(&output));
        assert!(stderr(&output).contains("E0736"), "{leave}: {}", stderr(&output));
    }
}

#[test]
fn more_commands_than_there_are_files_wait_for_each_other() {
    let dir = folder();
    let text = "+++\n[worker.x]\nrun = \"cat\"\n+++\nout <= ( switch[s] <= ( split => next  [x <= s.split.out.*] => send ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let lines: String = (0..200).map(|n| format!("{n}\n")).collect();
    write(dir.path(), "in.lines", &lines);
    let run = format!("ulimit -n 100; exec '{}' run p.aivm --ephemeral --in @in.lines", env!("CARGO_BIN_EXE_aivm"));
    let output = Command::new("sh").args(["-c", &run]).current_dir(dir.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_part_with_a_long_name_reaches_a_command() {
    let dir = folder();
    let label = "a".repeat(1_000);
    let text = format!(
        "{label} <= ( switch <= ( clean => send ) )\nout <= ( join <= ( {label} => next  clean => next ) <= switch <= ( x => send ) ) <= in\n"
    );
    write(dir.path(), "p.aivm", &format!("+++\n[worker.x]\nrun = \"cat\"\n+++\n{text}"));
    let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral", "--in", "x"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn writing_keeps_links_permissions_and_what_is_no_plain_file() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
    let dir = folder();
    let at = |name: &str| dir.path().join(name);
    write(dir.path(), "real.aivm", "out<=(switch<=(clean=>next))<=in\n");
    std::fs::set_permissions(at("real.aivm"), std::fs::Permissions::from_mode(0o600)).expect("its own");
    symlink("real.aivm", at("link.aivm")).expect("a link");
    assert!(aivm(dir.path(), &["fmt", "link.aivm"]).status.success());
    assert!(at("link.aivm").is_symlink());
    let text = std::fs::read_to_string(at("real.aivm")).expect("a file");
    assert!(text.contains("clean => next"), "{text}");
    assert_eq!(std::fs::metadata(at("real.aivm")).expect("there").permissions().mode() & 0o777, 0o600);

    let pipe = at("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::read(pipe).expect("reads")
    });
    assert!(aivm(dir.path(), &["graph", "real.aivm", "-o", "pipe"]).status.success());
    assert!(reader.join().expect("it ended").starts_with(b"<svg"));
    assert!(std::fs::metadata(pipe).expect("there").file_type().is_fifo());

    for command in ["compile", "graph"] {
        let output = aivm(dir.path(), &[command, "real.aivm", "-o", "link.aivm"]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert_eq!(std::fs::read_to_string(at("real.aivm")).expect("a file"), text, "{command} wrote over its source");
    }
}

#[test]
fn copying_an_example_writes_over_nothing() {
    let dir = folder();
    write(dir.path(), "a/README.md", "mine");
    std::fs::create_dir(dir.path().join("b")).expect("a folder");
    std::os::unix::fs::symlink("../elsewhere", dir.path().join("b/pipeline.aivm")).expect("a link");
    for name in ["a", "b"] {
        let output = aivm(dir.path(), &["try", "--copy", name]);
        assert_eq!(output.status.code(), Some(2), "{name}: {}", stderr(&output));
        assert_eq!(std::fs::read_dir(dir.path().join(name)).expect("there").count(), 1, "{name}");
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("a/README.md")).expect("there"), "mine");
    assert!(!dir.path().join("elsewhere").exists());
}

#[test]
fn doctor_looks_at_the_store_that_is_there() {
    let dir = folder();
    write(dir.path(), ".aivm/store.db", &"no database ".repeat(1_000));
    let output = aivm(dir.path(), &["doctor", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)["ok"], false);
}

#[test]
fn a_project_file_without_end_is_an_error() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("aivm.toml")).expect("a link");
    for (args, code) in [(&["check", "p.aivm"][..], 2), (&["worker", "ls"], 2), (&["config", "show"], 0)] {
        assert_eq!(aivm(dir.path(), args).status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn figures_stop_at_the_largest_number() {
    let dir = folder();
    let text = "+++\n[worker.x]\nmock = [{ tokens = \"18446744073709551615t\", cost = \"$18446744073709\" }]\n+++\nout <= ( switch <= ( x => next  x => send ) ) <= in\n";
    write(dir.path(), "p.aivm", text);
    let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let report = json(&aivm(dir.path(), &["run", "p.aivm", "--ephemeral", "--json"]));
    assert_eq!(report["totals"]["tokens"], u64::MAX);
}

#[test]
fn an_input_without_end_is_an_error() {
    let dir = folder();
    write(dir.path(), "p.aivm", SHOUT);
    let run =
        format!("ulimit -v 4000000; exec '{}' run p.aivm --ephemeral --in @/dev/zero", env!("CARGO_BIN_EXE_aivm"));
    let output = Command::new("sh").args(["-c", &run]).current_dir(dir.path()).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("larger than 512 MiB"), "{}", stderr(&output));
}
