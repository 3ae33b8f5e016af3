//! What a person sees of a run: the lines that stay, on a terminal and off one, and what is never printed.

use super::{aivm, command, folder, json, stderr, stdout, write};
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

/// A definition, a fan-out, a retry, a caught failure, a race that is lost.
const ALL: &str = "+++
[worker.list]
mock = [{ output = '[\"x\", \"y\"]', type = \"application/json\" }]
[worker.flaky]
mock = [{ fail = \"once\" }, {}]
[worker.slow]
run = \"sleep 20\"
[worker.wrong]
run = \"echo nxt > $AIVM_STEP_VERDICT\"
+++
each <= ( switch <= ( clean => next  flaky => send | retry ) )
out <= (
    switch[fan] <= ( list => next  [each <= fan.list.out.*] => send )
    <= join[race]<1> <= ( merge => next  slow => next ) <= switch <= ( wrong => send )
) <= in
";

/// Lines without their times.
fn lines(text: &str) -> Vec<String> {
    let words = |line: &str| {
        let is_time = |word: &str| word.ends_with('s') && word.starts_with(|c: char| c.is_ascii_digit());
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty() && !is_time(word)).collect();
        words.join(" ")
    };
    text.lines().map(words).collect()
}

#[test]
fn a_run_leaves_a_line_for_each_call_with_its_mark() {
    let dir = folder();
    write(dir.path(), "p.aivm", ALL);
    let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral"]);
    let mut seen = lines(&stderr(&output));
    let last = seen.split_off(seen.len() - 2);
    for line in [
        "✓ fan/list#1 → next",
        "✗ fan/each#1[0]/switch.1/flaky#1 → retry",
        "✓ fan/each#1[0]/switch.1/flaky#1 attempt 2 → send",
        "✓ fan/each#1[1] → next",
        "✓ fan/each#1 → send",
        "✓ race/merge#1 → next",
        "– race/slow#1 → cancelled",
        "✗ switch.3/wrong#1 → failed said nxt",
    ] {
        assert!(seen.iter().any(|seen| seen == line), "{line}: {seen:#?}");
    }
    assert_eq!(last[0], "error[E0702] at switch.3/wrong#1", "the step's line has told it");
    assert!(last[1].starts_with("failed · 9 calls"), "definitions and fan-outs are no calls: {last:?}");
    let arrows: Vec<_> =
        stderr(&output).lines().filter_map(|line| line.find(" →").map(|at| line[..at].chars().count())).collect();
    assert!(arrows.windows(2).all(|two| two[0] == two[1]), "one column: {}", stderr(&output));
    assert!(!stderr(&output).contains("· run "), "what is not kept has no name: {}", stderr(&output));
}

#[test]
fn a_failure_is_told_once_and_a_worker_cannot_tell_a_terminal_what_to_do() {
    let dir = folder();
    let fails = "+++\n[worker.x]\nrun = \"printf '\\\\033[2J\\\\033[31mbad\\\\r\\\\n' >&2; exit 3\"\n+++\n";
    for outcomes in ["send", "send | retry"] {
        write(dir.path(), "p.aivm", &format!("{fails}out <= ( switch <= ( x => {outcomes} ) ) <= in\n"));
        let output = aivm(dir.path(), &["run", "p.aivm"]);
        let text = stderr(&output);
        let tries = 1 + usize::from(outcomes.contains("retry"));
        assert_eq!(text.matches("ended with exit code 3: ␛[2J␛[31mbad").count(), tries, "{text}");
        assert!(text.contains("] at switch.1/x#1") && text.contains(" · run "), "{text}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        let quiet = stderr(&aivm(dir.path(), &["run", "p.aivm", "--quiet"]));
        assert_eq!(quiet.matches("ended with exit code 3").count(), 1, "{quiet}");
        let report = json(&aivm(dir.path(), &["run", "p.aivm", "--json"]));
        let steps: Vec<_> =
            report["steps"].as_array().expect("steps").iter().map(|step| &step["error"]["step"]).collect();
        assert_eq!(steps, vec!["switch.1/x#1"; tries]);
        assert_eq!(report["error"]["step"], "switch.1/x#1");
    }
}

#[test]
fn input_that_is_not_read_is_named_and_a_type_is_a_type() {
    let dir = folder();
    write(dir.path(), "p.aivm", "out <= ( switch <= ( clean => send ) ) <= in\n");
    let given = |args: &[&str], text: &str| {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        std::io::Write::write_all(&mut writer, text.as_bytes()).expect("a pipe holds this");
        // The writer stays open: nothing waits for the end.
        let mut run = command(dir.path(), args);
        let output = run.stdin(reader).output().expect("aivm runs");
        drop(writer);
        stderr(&output)
    };
    let run = ["run", "p.aivm", "--ephemeral"];
    assert!(given(&run, "hello").contains("add `--in -`"));
    assert!(!given(&run, "").contains("--in -"));
    assert!(!given(&["run", "p.aivm", "--ephemeral", "--in", "x"], "hello").contains("--in -"));
    let file = std::fs::File::open(dir.path().join("p.aivm")).expect("a file");
    let output = command(dir.path(), &run).stdin(file).output().expect("aivm runs");
    assert!(stderr(&output).contains("add `--in -`"));
    for (media_type, code) in
        [("text/csv", 0), ("text/plain; charset=utf-8", 0), ("nonsense", 2), ("/", 2), ("a/b c", 2)]
    {
        let output = aivm(dir.path(), &["run", "p.aivm", "--ephemeral", "--in", "x", "--type", media_type]);
        assert_eq!(output.status.code(), Some(code), "{media_type}");
        assert_eq!(stderr(&output).contains("E0804"), code == 2, "{media_type}");
    }
}

/// All that is written to a terminal of so many columns.
pub fn written(dir: &Path, columns: u16, args: &[&str]) -> String {
    let size = nix::pty::Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = nix::pty::openpty(&size, None).expect("a terminal");
    let mut run = command(dir, args);
    run.env("NO_COLOR", "1").env("TERM", "xterm").stdout(Stdio::null()).stderr(terminal.slave);
    let mut child = run.spawn().expect("aivm runs");
    drop(run);
    let mut bytes = Vec::new();
    // A terminal that nobody writes to any more is an error on some systems, an end on others.
    let _ = std::fs::File::from(terminal.master).read_to_end(&mut bytes);
    child.wait().expect("it ends");
    String::from_utf8(bytes).expect("text").replace('\r', "")
}

/// What such a terminal shows when a run has ended. It knows what the display uses: up, and clear below.
fn screen(dir: &Path, columns: u16, args: &[&str]) -> String {
    let mut lines = vec![String::new()];
    let text = written(dir, columns, args);
    for (at, part) in text.split("\x1b[").enumerate() {
        let mut shown = part;
        if let Some((up, rest)) = part.split_once('A').filter(|(up, _)| at > 0 && up.parse::<usize>().is_ok()) {
            let (up, last) = (up.parse::<usize>().expect("a number"), lines.pop());
            assert_eq!(last.as_deref(), Some(""), "the cursor stands at the beginning of a line");
            lines.truncate(lines.len() - up);
            lines.push(String::new());
            shown = rest;
        } else if at > 0 {
            shown = part.strip_prefix('J').unwrap_or_else(|| panic!("{part:?}"));
        }
        for (at, line) in shown.split('\n').enumerate() {
            if at > 0 {
                lines.push(String::new());
            }
            lines.last_mut().expect("a line").push_str(line);
        }
    }
    lines.join("\n")
}

#[test]
fn a_terminal_keeps_the_lines_that_stay_and_nothing_else() {
    let dir = folder();
    let waits = ALL.replace(
        "mock = [{ fail = \"once\" }, {}]",
        "mock = [{ fail = \"once\", sleep = \"250ms\" }, { sleep = \"250ms\" }]",
    );
    write(dir.path(), "p.aivm", &waits);
    for columns in [80, 40] {
        let screen = screen(dir.path(), columns, &["run", "p.aivm", "--ephemeral"]);
        for line in screen.lines() {
            assert!(line.chars().count() <= columns.into(), "{columns} columns: {line}");
            assert!(
                ["✓ ", "✗ ", "– ", "    ", "error[E0702]", "failed · 9 calls · "]
                    .iter()
                    .any(|begin| line.starts_with(begin)),
                "{columns} columns: {line:?} in\n{screen}"
            );
        }
        assert_eq!(screen.lines().filter(|line| line.contains(" → ")).count(), 12, "{screen}");
        let each = screen.lines().find(|line| line.starts_with("✓ fan/each#1 ")).expect("the fan-out's line");
        assert!(!each.contains(" 0.0ms"), "it takes as long as what is in it: {each}");
    }
}

#[test]
fn wrong_usage_is_json_when_json_is_wanted() {
    let dir = folder();
    for line in ["run --json", "--json nonsense", "gc --keep many --json"] {
        let args: Vec<&str> = line.split(' ').collect();
        let refused = aivm(dir.path(), &args);
        assert_eq!(refused.status.code(), Some(2), "{line}");
        assert_eq!(json(&refused)["error"]["code"], "E0819", "{line}");
        assert!(refused.stderr.is_empty() && json(&refused)["error"]["message"].is_string(), "{line}");
    }
    let text = aivm(dir.path(), &["run", "--wrong"]);
    assert!(text.stdout.is_empty() && stderr(&text).starts_with("error: "), "{}", stderr(&text));
}

#[test]
fn parts_within_parts_are_shown_under_both_names() {
    let dir = folder();
    let program = "+++\n[worker.one]\nrun = \"echo 1\"\neffect = \"read\"\n[worker.two]\nrun = \"echo 2\"\neffect = \"read\"\n\
        [worker.bytes]\nrun = \"printf '\\\\377'\"\neffect = \"read\"\nreturns = \"image/png\"\n+++\n\
        out <= ( join[all] <= ( one => next  join[inner] <= ( two => next  bytes => next ) ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    let shown = stdout(&aivm(dir.path(), &["run", "p.aivm", "--ephemeral"]));
    assert!(shown.starts_with("── one\n1\n── inner/two\n2\n── inner/bytes\n(1 bytes of image/png, "), "{shown}");
    assert!(!shown.contains('\0'), "{shown:?}");
}

#[test]
fn what_a_command_prints_is_what_it_can_be() {
    let dir = folder();
    for (print, given, is) in [
        ("echo moin", "application/json", "text/plain"),
        ("cat", "application/json", "application/json"),
        ("cat", "text/markdown", "text/markdown"),
        ("printf '\\\\377'", "text/plain", "application/octet-stream"),
        ("printf '\\\\377'", "image/png", "image/png"),
        ("echo 12 dots", "image/png", "text/plain"),
    ] {
        let program = format!(
            "+++\n[worker.w]\nrun = \"{print}\"\neffect = \"read\"\n+++\nout <= ( switch <= ( w => send ) ) <= in\n"
        );
        write(dir.path(), "p.aivm", &program);
        let run = aivm(dir.path(), &["run", "p.aivm", "--in", "{}", "--type", given, "--json", "--ephemeral"]);
        assert_eq!(json(&run)["output"]["type"], is, "{print} of {given}");
    }
}
