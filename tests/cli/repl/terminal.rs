//! The REPL as a person has it, at a terminal.

use super::{DRAFT, aivm, folder, runs, stdout, write};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Whoever waits longer for something to be shown waits in vain.
const PATIENCE: Duration = Duration::from_secs(30);
const UP: &str = "\x1b[A";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";

/// A person at a terminal.
struct Person {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What was shown and not waited for yet.
    shown: String,
}

/// A session that nobody leaves ends with the test: those beside it hold its terminal, too, so that it would hear of nothing.
impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Person {
    fn sits_down(folder: &Path, args: &[&str], colours: bool) -> Person {
        let size = nix::pty::Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        let terminal = nix::pty::openpty(&size, None).expect("a terminal");
        // A session of its own, so that Ctrl-C goes to it and not to the tests.
        let mut aivm = std::process::Command::new("setsid");
        aivm.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_aivm"), "repl"]).args(args).current_dir(folder);
        aivm.env_remove("AIVM_STATE").env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME").env("HOME", folder);
        aivm.env("TERM", "xterm").env("NO_COLOR", if colours { "" } else { "1" });
        let slave = || terminal.slave.try_clone().expect("a terminal");
        let child = aivm.stdin(Stdio::from(slave())).stdout(slave()).stderr(slave()).spawn().expect("it starts");
        drop(aivm);
        drop(terminal.slave);
        let mut screen = File::from(terminal.master.try_clone().expect("a terminal"));
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length) = screen.read(&mut bytes) {
                if length == 0 || sender.send(bytes[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let mut person = Person { child, keyboard: File::from(terminal.master), screen: shown, shown: String::new() };
        person.sees("aivm> ");
        person
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Waits until this is shown; what was shown up to there.
    fn sees(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.shown.find(text) {
                let rest = self.shown.split_off(at + text.len());
                return std::mem::replace(&mut self.shown, rest);
            }
            match self.screen.recv_timeout(PATIENCE) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("{text:?} is not shown: {:?}", self.shown),
            }
        }
    }

    /// Ends the session, and with which code.
    fn leaves(mut self) -> Option<i32> {
        self.types(CTRL_D);
        self.child.wait().expect("it ends").code()
    }
}

#[test]
fn several_lines_are_one_entry_and_history_has_it() {
    let dir = folder();
    let mut person = Person::sits_down(dir.path(), &[], false);
    person.types("out <= (\r");
    person.types("  switch <= ( clean => send )\r");
    person.types(") <= \"one  \"\r");
    person.sees("\none\r\n");
    person.sees("aivm> ");
    person.types(UP);
    person.types("\r");
    person.sees("\none\r\n");
    person.sees("aivm> ");
    assert_eq!(person.leaves(), Some(0));
    let mut person = Person::sits_down(dir.path(), &[], false);
    person.types(UP);
    person.types("\r");
    person.sees("\none\r\n");
    assert_eq!(runs(dir.path()).len(), 3, "each entry ran once");
}

#[test]
fn what_looks_like_a_key_is_not_remembered() {
    let dir = folder();
    let mut person = Person::sits_down(dir.path(), &[], false);
    person.types("clean <= \"plain\"\r");
    person.sees("\nplain\r\n");
    person.sees("aivm> ");
    let key = ["sk-ant", "-api03-", &"k3Y9".repeat(12)].concat();
    person.types(&format!("clean <= \"{key}\"\r"));
    person.sees("sent");
    person.sees("aivm> ");
    let history = std::fs::read_to_string(dir.path().join(".local/state/aivm/repl_history")).expect("a history");
    assert!(history.contains("plain") && !history.contains(&key), "{history}");
}

#[test]
fn what_is_pasted_is_one_entry_also_with_empty_lines() {
    let dir = folder();
    let mut person = Person::sits_down(dir.path(), &[], false);
    person.types("\x1b[200~name = \"tidy\"\n\n[steps.tidy]\nuses = \"clean\"\n\x1b[201~\r");
    person.sees(":run runs them");
    person.types(":run pasted  \r");
    person.sees("\npasted");
}

#[test]
fn an_empty_line_ends_what_would_go_on() {
    let dir = folder();
    let mut person = Person::sits_down(dir.path(), &[], false);
    person.types("out <= (\r");
    person.types("\r");
    person.sees("[E0108]");
    person.sees("aivm> ");
}

#[test]
fn words_are_completed() {
    let dir = folder();
    write(dir.path(), "p.aivm", DRAFT);
    let mut person = Person::sits_down(dir.path(), &[], false);
    person.types(":lo\tp.ai\t\r");
    person.sees("loaded p.aivm");
    person.types(":bre\tju\t=>back\r");
    person.sees("stops at judge=>back");
    person.types("out <= ( swi\t <= ( clea\t => sen\t ) ) <= \"typed  \"\r");
    person.sees("\ntyped\r\n");
}

#[test]
fn values_of_the_session_are_completed() {
    let dir = folder();
    let mut person = Person::sits_down(dir.path(), &[], false);
    person.types("clean <= \"typed  \"\r");
    person.sees("\ntyped\r\n");
    person.sees("aivm> ");
    let listed = stdout(&aivm(dir.path(), &["artifact", "ls"]));
    let made = listed.lines().find(|line| line.contains("step/run")).expect("what the step made");
    person.types(&format!(":artifact {}\t\r", &made[..6]));
    person.sees("\ntyped\r\n");
    person.sees("aivm> ");
    person.types(&format!("count <= @{}\t\r", &made[..6]));
    person.sees("\"words\":1");
}

#[test]
fn ctrl_c_drops_a_line_or_cancels_a_run_and_never_ends_the_session() {
    let dir = folder();
    let slow = "+++\n[worker.wait]\nmock = [{ sleep = \"10m\" }]\n+++\nout <= ( switch <= ( wait => send ) ) <= in\n";
    write(dir.path(), "slow.aivm", slow);
    let mut person = Person::sits_down(dir.path(), &["slow.aivm"], false);
    person.types("out <= ( no");
    person.types(CTRL_C);
    person.sees("aivm> ");
    person.types(":run\r");
    person.sees("wait#1");
    person.types(CTRL_C);
    person.sees("cancelled · ");
    person.sees("aivm> ");
    person.types("clean <= \"still here\"\r");
    person.sees("\nstill here\r\n");
    person.sees("aivm> ");
    assert_eq!(person.leaves(), Some(0));
}

#[test]
fn a_session_that_waits_ends_when_it_is_asked_to() {
    let dir = folder();
    for runs in [false, true] {
        let mut person = Person::sits_down(dir.path(), &[], false);
        if runs {
            // A run hears what asks the process to end, and is over.
            person.types("clean <= \"x\"\r");
            person.sees("sent");
            person.sees("aivm> ");
        }
        let told = std::process::Command::new("kill").arg(person.child.id().to_string()).status().expect("kill");
        assert!(told.success());
        assert_eq!(person.child.wait().expect("it ends").code(), Some(130));
    }
}

#[test]
fn colours_are_for_those_who_want_them() {
    let dir = folder();
    for colours in [true, false] {
        let mut person = Person::sits_down(dir.path(), &[], colours);
        person.types("out <= ( switch <= ( clean => send ) ) <= \"x\"\r");
        let shown = person.sees("sent");
        assert_eq!(shown.contains("\x1b[35mswitch"), colours, "{shown:?}");
        assert_eq!(shown.contains("\x1b[36m"), colours, "{shown:?}");
    }
}
