//! What is said to whoever watches the server. Nobody may: a client that started it can leave its standard error unread until the pipe is full,
//! and then no run may wait for that.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// So many lines wait to be written; further ones are lost.
const MOST_LINES: usize = 1_000;
/// At the end so long is waited for the last ones.
const PATIENCE: Duration = Duration::from_secs(1);

/// Writes lines to standard error.
pub struct Log {
    lines: Option<SyncSender<String>>,
    written: Mutex<Receiver<()>>,
}

impl Log {
    /// One that writes, or, when it is `quiet`, none.
    pub fn new(quiet: bool) -> Log {
        let (lines, waiting) = sync_channel::<String>(MOST_LINES);
        let (done, written) = sync_channel(1);
        let write = move || {
            for line in waiting {
                eprintln!("{line}");
            }
            let _ = done.send(());
        };
        let thread = std::thread::Builder::new().name("aivm-log".to_owned());
        let begun = !quiet && thread.spawn(write).is_ok();
        Log { lines: begun.then_some(lines), written: Mutex::new(written) }
    }

    /// Says this, some time.
    pub fn say(&self, line: String) {
        if let Some(lines) = &self.lines {
            let _ = lines.try_send(line);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.lines.take().is_some()
            && let Ok(written) = self.written.get_mut()
        {
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}
