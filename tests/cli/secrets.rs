//! Secrets: where they are kept, which goes before which, and what is written down that should not be.

use super::*;

/// A `secret-tool` that keeps what it is given in a file, as the real one does in a keyring.
const TOOL: &str = r#"#!/bin/sh
kept="$HOME/keyring"
mkdir -p "$kept"
for last; do :; done
case "$1" in
store) cat > "$kept/$last" ;;
lookup) cat "$kept/$last" 2>/dev/null || exit 1 ;;
clear) rm "$kept/$last" ;;
search) for one in "$kept"/*; do [ -f "$one" ] && echo "secret = $(cat "$one")" && echo "attribute.name = $(basename "$one")" >&2; done; true ;;
esac
"#;

fn with_keyring(dir: &Path, args: &[&str], input: &str) -> Output {
    use std::os::unix::fs::PermissionsExt;
    let tool = dir.join("bin/secret-tool");
    write(dir, "bin/secret-tool", TOOL);
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", dir.join("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut command = command(dir, args);
    command.env("PATH", path).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/none");
    fed(command, input)
}

fn fed(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("aivm runs");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn plain(dir: &Path, args: &[&str], input: &str) -> Output {
    let mut command = command(dir, args);
    command.env_remove("DBUS_SESSION_BUS_ADDRESS");
    fed(command, input)
}

#[test]
fn a_keyring_keeps_a_secret_and_tells_only_its_name() {
    let dir = folder();
    let output = with_keyring(dir.path(), &["secret", "set", "A_KEY"], "s3cret-value\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(dir.path().join("keyring/A_KEY")).expect("kept"), "s3cret-value");
    let listed = with_keyring(dir.path(), &["secret", "ls"], "");
    assert_eq!(stdout(&listed), "A_KEY  the keyring\n");
    write(dir.path(), "aivm.toml", "[secrets]\nnames = [\"A_KEY\"]\n");
    let program =
        "+++\n[worker.says]\nrun = \"echo s3cret-value\"\n+++\nout <= ( switch[s] <= ( says => send ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    let refused = with_keyring(dir.path(), &["run", "p.aivm"], "");
    assert!(stderr(&refused).contains("E0963") && !stderr(&refused).contains("s3cret"), "{}", stderr(&refused));
    write(dir.path(), "p.aivm", &program.replace("s3cret-value", "s3cret-val''ue"));
    let run = with_keyring(dir.path(), &["run", "p.aivm"], "");
    assert_eq!(stdout(&run), "***\n", "{}", stderr(&run));
    assert_eq!(with_keyring(dir.path(), &["secret", "rm", "A_KEY"], "").status.code(), Some(0));
    let none = with_keyring(dir.path(), &["secret", "rm", "A_KEY"], "");
    assert_eq!(none.status.code(), Some(2));
    assert!(stderr(&none).contains("E0962"), "{}", stderr(&none));
}

#[test]
fn without_a_keyring_there_is_a_file_and_a_clear_word() {
    let dir = folder();
    let none = plain(dir.path(), &["secret", "set", "A_KEY"], "s3cret-value\n");
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("E0961") && stderr(&none).contains("--file"), "{}", stderr(&none));
    let kept = plain(dir.path(), &["secret", "set", "A_KEY", "--file", "--json"], "s3cret-value\n");
    assert_eq!((kept.status.code(), json(&kept)["origin"].as_str()), (Some(0), Some("file")), "{}", stderr(&kept));
    for (name, value) in [("a-b", "x"), ("A", "")] {
        let refused = plain(dir.path(), &["secret", "set", name, "--file"], value);
        assert!(stderr(&refused).contains("E0962"), "{}", stderr(&refused));
    }
    let listed = plain(dir.path(), &["secret", "ls", "--json"], "");
    assert_eq!(json(&listed)["secrets"][0], serde_json::json!({"name": "A_KEY", "origin": "file"}));
    let file = dir.path().join(".config/aivm/secrets.toml");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("changed");
    let refused = plain(dir.path(), &["secret", "ls"], "");
    assert!(stderr(&refused).contains("E0960") && stderr(&refused).contains("chmod 600"), "{}", stderr(&refused));
}

#[cfg(feature = "models")]
#[test]
fn the_key_of_a_provider_is_found_where_it_is_kept_and_the_environment_goes_first() {
    let server = fake::Fake::new(vec![fake::text("said")]);
    let dir = folder();
    let settings = format!("[provider.a]\nurl = \"{}\"\nkey = \"A_KEY\"\n", server.url);
    write(dir.path(), "aivm.toml", &settings);
    let program =
        "+++\n[worker.w]\nprompt = \"Say.\"\nmodel = \"a/m\"\n+++\nout <= ( switch[s] <= ( w => send ) ) <= in\n";
    write(dir.path(), "p.aivm", program);
    let none = plain(dir.path(), &["run", "p.aivm"], "");
    assert!(stderr(&none).contains("there is no key: set A_KEY, or: aivm secret set A_KEY"), "{}", stderr(&none));
    plain(dir.path(), &["secret", "set", "A_KEY", "--file"], "of-the-file");
    let sent = |key: &str| server.requests().last().expect("asked").head.contains(&format!("Bearer {key}\r\n"));
    assert_eq!(plain(dir.path(), &["run", "p.aivm"], "").status.code(), Some(0));
    assert!(sent("of-the-file"));
    write(dir.path(), "aivm.toml", &format!("[secrets]\ndotenv = true\n{settings}"));
    write(dir.path(), ".env", "A_KEY=of-the-project\n");
    assert_eq!(plain(dir.path(), &["run", "p.aivm"], "").status.code(), Some(0));
    assert!(sent("of-the-project"));
    let output =
        command(dir.path(), &["run", "p.aivm"]).env("A_KEY", "of-the-environment").output().expect("aivm runs");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(sent("of-the-environment"));
}

#[test]
fn a_credential_is_not_written_into_our_files_and_not_taken_over_from_others() {
    let dir = folder();
    let key = "ghp_abcdefghijklmnopqrstuvwx";
    let fine = "out <= ( switch[s] <= ( w => send ) ) <= in\n";
    let cases = [
        ("p.aivm", format!("+++\n[worker.w]\nrun = \"git push https://me:pa55word@git.example\"\n+++\n{fine}")),
        ("p.aivm", format!("+++\n[worker.w]\nprompt = \"{key}\"\n+++\n{fine}")),
        ("workers/w.toml", format!("prompt = \"{key}\"\n")),
        ("aivm.toml", format!("[worker.w]\nprompt = \"{key}\"\n")),
    ];
    for (name, text) in cases {
        let dir = folder();
        write(dir.path(), "p.aivm", fine);
        write(dir.path(), name, &text);
        let output = aivm(dir.path(), &["check", "p.aivm"]);
        let said = [stdout(&output), stderr(&output)].concat();
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert!(said.contains("E0964") || name == "p.aivm" && said.contains("written"), "{text}: {said}");
    }
    write(dir.path(), ".claude/agents/w.md", &format!("---\nname: w\n---\nUse {key} and me.\n"));
    write(dir.path(), "p.aivm", fine);
    let shown = aivm(dir.path(), &["worker", "show", "w"]);
    assert!(
        stdout(&shown).contains("Use *** and me") && stdout(&shown).contains("written in its file"),
        "{}",
        stdout(&shown)
    );
    assert!(!stdout(&shown).contains(key));
}
