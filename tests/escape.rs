//! Ways out of the sandbox, each tried by a real command of the real program: without a sandbox it must get out, else it would
//! prove nothing; in one it must not, by whatever means. `tests/escape/attempts.txt` is the list.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LIST: &str = include_str!("escape/attempts.txt");
const CANARY: &str = "CANARY-9d3f";

struct Attempt {
    name: &'static str,
    classes: &'static str,
    options: Vec<&'static str>,
    script: &'static str,
}

impl Attempt {
    fn has(&self, option: &str) -> bool {
        self.options.contains(&option)
    }
}

fn attempts() -> Vec<Attempt> {
    let entry = |text: &'static str| {
        let (head, script) = text.split_once('\n').expect("a script");
        let (name, more) = head.rsplit_once(": ").expect("classes");
        let mut words = more.split(' ');
        Attempt { name, classes: words.next().expect("classes"), options: words.collect(), script }
    };
    LIST.split("\n## ").skip(1).map(entry).collect()
}

/// What is there to be got at: files of a home and of another run, processes, sockets, servers.
struct Ground {
    dir: tempfile::TempDir,
    victim: Child,
    tcp: u16,
    tcp6: Option<u16>,
    /// Speaks HTTP, and is not listed.
    web: u16,
    /// Likewise, and what has a list has this in it.
    listed: u16,
    udp: u16,
    udp6: Option<u16>,
    abstract_name: String,
    daemon: Option<PathBuf>,
    shm: Option<String>,
    named: Option<PathBuf>,
}

impl Ground {
    fn new() -> Ground {
        let dir = tempfile::Builder::new().prefix("aivm-escape-").tempdir().expect("a folder");
        let path = |name: &str| dir.path().join(name);
        let write = |name: &str, text: &str| {
            std::fs::create_dir_all(path(name).parent().expect("a folder")).expect("a folder");
            std::fs::write(path(name), text).expect("a file");
        };
        let secret = format!("{CANARY}\n");
        write("home/.ssh/id_ed25519", &secret);
        write("home/notes", "notes\n");
        write("other/secret", &secret);
        write("state/secret", &secret);
        write("state/steps/other/1/input", &secret);
        write("project/notes", "inside\n");
        write("project/aivm.toml", "# nothing\n");
        std::os::unix::fs::symlink(path("home/.ssh/id_ed25519"), path("project/way-out")).expect("a link");
        let mut victim = Command::new("sleep");
        victim.arg("98765").env("SECRET", CANARY).current_dir(path("other"));
        victim.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let victim = victim.spawn().expect("sleep runs");
        let own = dir.path().file_name().expect("a name").to_string_lossy();
        let abstract_name = own.trim_start_matches('.').to_owned();
        let address = SocketAddr::from_abstract_name(&abstract_name).expect("an address");
        listen(UnixListener::bind_addr(&address).expect("a socket"));
        listen(UnixListener::bind(path("other/docker.sock")).expect("a socket"));
        listen(UnixListener::bind(path("project/app.sock")).expect("a socket"));
        let daemon = PathBuf::from(format!("/run/{abstract_name}.sock"));
        let daemon = UnixListener::bind(&daemon).ok().map(|socket| {
            listen(socket);
            daemon
        });
        let named = PathBuf::from("/dev/shm").join(&abstract_name);
        let named = std::fs::write(&named, &secret).is_ok().then_some(named);
        let shm = "my $i = shmget(0, 100, 0600 | 01000); shmwrite($i, 'CANARY', 0, 6); print $i";
        let shm = Command::new("perl").args(["-e", shm]).output().expect("perl").stdout;
        let shm = Some(String::from_utf8_lossy(&shm).into_owned()).filter(|id| !id.is_empty());
        let web = speak(|_| format!("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{CANARY}"));
        Ground {
            victim,
            web,
            listed: speak(move |path| match path {
                "/away" => {
                    format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{web}/\r\nContent-Length: 0\r\n\r\n")
                }
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nlisted".to_owned(),
            }),
            tcp: serve(TcpListener::bind("127.0.0.1:0")).expect("a server"),
            tcp6: serve(TcpListener::bind("[::1]:0")),
            udp: answer(UdpSocket::bind("127.0.0.1:0")).expect("a server"),
            udp6: answer(UdpSocket::bind("[::1]:0")),
            abstract_name,
            daemon,
            shm,
            named,
            dir,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A text with the names of what is there; none where that is not there.
    fn fill(&self, text: &str) -> Option<String> {
        let port = |port: Option<u16>| port.map(|port| port.to_string());
        let path = |path: &Path| Some(path.display().to_string());
        let launcher = Path::new(env!("CARGO_BIN_EXE_aivm"));
        let groups = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].into_iter().find(|path| Path::new(path).is_dir());
        let names = [
            ("@HOME@", path(&self.path("home"))),
            ("@OTHER@", path(&self.path("other"))),
            ("@STATE@", path(&self.path("state"))),
            ("@PROJECT@", path(&self.path("project"))),
            ("@VICTIM@", Some(self.victim.id().to_string())),
            ("@ABSTRACT@", Some(self.abstract_name.clone())),
            ("@DAEMON@", self.daemon.as_deref().and_then(path)),
            ("@TCP@", port(Some(self.tcp))),
            ("@TCP6@", port(self.tcp6)),
            ("@WEB@", port(Some(self.web))),
            ("@LISTED@", port(Some(self.listed))),
            ("@UDP@", port(Some(self.udp))),
            ("@UDP6@", port(self.udp6)),
            ("@SHM@", self.shm.clone()),
            ("@CGROUP@", groups.map(str::to_owned)),
            ("@LAUNCHER@", path(launcher)),
        ];
        let mut text = text.to_owned();
        for (name, value) in names {
            if text.contains(name) {
                text = text.replace(name, &value?);
            }
        }
        Some(text)
    }

    /// Does it get out? The error is why nobody can know.
    fn gets_out(&self, attempt: &Attempt, class: char, means: &str) -> Result<bool, String> {
        let leaves = attempt.options.iter().find_map(|option| option.strip_prefix("leaves="));
        let leaves = leaves.map(|path| self.fill(path).ok_or("not there")).transpose()?;
        let script = self.fill(attempt.script).ok_or("what it goes for is not there")?;
        std::fs::write(self.path("other/spare"), "spare").expect("a file");
        std::fs::write(self.path("project/victim"), "victim").expect("a file");
        std::fs::write(self.path("project/notes"), "inside\n").expect("a file");
        let (effect, network) = match class {
            'p' => ("pure", "false".to_owned()),
            'r' => ("read", "false".to_owned()),
            'e' => ("read", format!("[\"127.0.0.1:{}\"]", self.listed)),
            'w' => ("idempotent", "true".to_owned()),
            _ => ("idempotent", "false".to_owned()),
        };
        let pure = if effect == "pure" { String::new() } else { format!("sandbox = {{ network = {network} }}\n") };
        let script = format!("{script}\ntrue");
        let program = format!(
            "+++\n[worker.x]\nrun = '''\n{}\n'''\neffect = \"{effect}\"\ntimeout = \"20s\"\n{pure}+++\nout <= ( switch <= ( x => send ) ) <= in\n",
            // In TOML's own text between three quotes nothing is escaped.
            script.replace("'''", "' ' '")
        );
        let file = self.path("escape.aivm");
        std::fs::write(&file, program).expect("a file");
        let aivm = env!("CARGO_BIN_EXE_aivm");
        // What is open here is not closed for the program that is started.
        let line = format!(
            "exec 9< '{home}/.ssh/id_ed25519' 8< '{home}'; exec '{aivm}' run '{file}' --sandbox {means} --quiet --workspace '{project}' --in x",
            home = self.path("home").display(),
            file = file.display(),
            project = self.path("project").display(),
        );
        let mut command = match attempt.has("tty") {
            true => {
                let mut command = Command::new("script");
                command.args(["-qec", &line, "/dev/null"]);
                command
            }
            false => {
                let mut command = Command::new("bash");
                command.args(["-c", &line]);
                command
            }
        };
        command
            .current_dir(self.path("project"))
            .stdin(Stdio::null())
            .env("HOME", self.path("home"))
            .env("XDG_CONFIG_HOME", self.path("home/.config"))
            .env("AIVM_STATE", self.path("state"))
            .env("OPENAI_API_KEY", CANARY)
            .env_remove("AIVM_SANDBOX")
            .env_remove("http_proxy");
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        if leaves.is_some() && attempt.name.starts_with("one who") {
            std::thread::sleep(Duration::from_millis(900));
        }
        let left = leaves.map(PathBuf::from).filter(|path| path.exists());
        if let Some(path) = &left {
            let _ = std::fs::remove_file(path);
            if path.is_dir() {
                std::fs::rename(path, self.path("state")).expect("it is put back");
            }
        }
        for code in ["E0930", "E0931", "E0932", "E0933", "E0985"] {
            if said.contains(code) || complained.contains(code) {
                return Err(format!("{said}{complained}"));
            }
        }
        if !output.status.success() && !said.contains("E07") && !complained.contains("E07") {
            return Err(format!("it did not run: {said}{complained}"));
        }
        Ok(said.contains("ESCAPED") || left.is_some())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = self.victim.kill();
        let _ = self.victim.wait();
        for path in self.daemon.iter().chain(&self.named) {
            let _ = std::fs::remove_file(path);
        }
        if let Some(id) = &self.shm {
            let _ = Command::new("perl").args(["-e", &format!("shmctl({id}, 0, 0)")]).status();
        }
    }
}

fn listen(socket: UnixListener) {
    std::thread::spawn(move || for _ in socket.incoming() {});
}

fn serve(server: std::io::Result<TcpListener>) -> Option<u16> {
    let server = server.ok()?;
    let port = server.local_addr().ok()?.port();
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            let _ = (&stream).write_all(format!("{CANARY}\n").as_bytes());
        }
    });
    Some(port)
}

/// Answers every request by its path.
fn speak(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> u16 {
    let server = TcpListener::bind("127.0.0.1:0").expect("a server");
    let port = server.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in server.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || converse(&stream, answer));
        }
    });
    port
}

fn converse(mut stream: &TcpStream, answer: impl Fn(&str) -> String) {
    let mut first = String::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if first.is_empty() {
            first = line;
        } else if line.is_empty() {
            let path = first.split(' ').nth(1).unwrap_or_default();
            let path =
                path.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or(path);
            if stream.write_all(answer(path).as_bytes()).is_err() {
                return;
            }
            first = String::new();
        }
    }
}

fn answer(server: std::io::Result<UdpSocket>) -> Option<u16> {
    let server = server.ok()?;
    let port = server.local_addr().ok()?.port();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((_, from)) = server.recv_from(&mut buffer) {
            let _ = server.send_to(CANARY.as_bytes(), from);
        }
    });
    Some(port)
}

fn is_root() -> bool {
    own_user() == 0
}

fn own_user() -> u32 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").map_or(1, |about| about.uid())
}

/// What gets out of one means without a sandbox must not be seen by the other.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn try_all(means: &str) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ground = Ground::new();
    if let Err(reason) = ground.gets_out(&attempts()[0], 'p', means) {
        eprintln!("skipped: {means} is not to be had here: {reason}");
        return;
    }
    let (mut held, mut proved, mut skipped, mut wrong) = (0, 0, Vec::new(), Vec::new());
    let only = std::env::var("AIVM_ESCAPE").unwrap_or_default();
    for attempt in attempts().iter().filter(|attempt| attempt.name.contains(&only)) {
        if attempt.has("bwrap") && means != "bwrap" {
            continue;
        }
        let mut control = None;
        // Landlock has no lists.
        for class in attempt.classes.chars().filter(|class| *class != 'e' || means == "bwrap") {
            let what = format!("{} ({class})", attempt.name);
            let control = control.get_or_insert_with(|| ground.gets_out(attempt, class, "none"));
            match control {
                Ok(true) => {}
                Ok(false) if attempt.has("root") && !is_root() => {
                    skipped.push(format!("{what}: only root gets out"));
                    continue;
                }
                Ok(false) if attempt.has("routed") => {
                    skipped.push(format!("{what}: there is no way to it from here"));
                    continue;
                }
                // This kernel, or this machine, has not what it goes for.
                Ok(false) => {
                    skipped.push(format!("{what}: it does not get out without a sandbox either"));
                    continue;
                }
                Err(reason) => {
                    skipped.push(format!("{what}: {reason}"));
                    continue;
                }
            }
            proved += 1;
            match ground.gets_out(attempt, class, means) {
                Ok(false) => held += 1,
                Ok(true) => wrong.push(what),
                Err(reason) => wrong.push(format!("{what}: {reason}")),
            }
        }
    }
    for skipped in &skipped {
        eprintln!("skipped: {skipped}");
    }
    eprintln!("{means}: {proved} attempts that get out without a sandbox, {held} held, {} skipped", skipped.len());
    assert!(wrong.is_empty(), "{means}: these got out, or were not made:\n{}", wrong.join("\n"));
    if only.is_empty() && is_root() {
        assert!(proved >= 60, "only {proved} attempts prove something");
    }
}

#[test]
fn nothing_gets_out_of_bubblewrap() {
    try_all("bwrap");
}

#[test]
fn nothing_gets_out_of_landlock() {
    try_all("landlock");
}

#[test]
fn the_list_is_long_enough() {
    let all: usize = attempts().iter().map(|attempt| attempt.classes.len()).sum();
    assert!(all >= 60, "{all}");
    let mut names: Vec<&str> = attempts().iter().map(|attempt| attempt.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), attempts().len(), "each attempt has a name of its own");
}
