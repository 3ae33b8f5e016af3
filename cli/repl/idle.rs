//! A session that waits for its next line ends when the system asks it to, as any program would. While a run goes on, that is for the
//! run to hear; once one has listened, the system itself ends this process no more.

use crate::fail::Exit;
use aivm_host::signals::Signals;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::future::poll_fn;
use std::task::Poll;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Who listens while a line is waited for; none: no thread could be had, and the session ends by the end of its lines alone.
pub struct Idle(Option<(Handle, UnboundedSender<Option<Signals>>)>);

impl Idle {
    /// Nobody types yet.
    pub fn new() -> Idle {
        Idle(Idle::begun().ok())
    }

    fn begun() -> std::io::Result<(Handle, UnboundedSender<Option<Signals>>)> {
        let events = Builder::new_current_thread().enable_all().build()?;
        let (handle, (sender, waits)) = (events.handle().clone(), unbounded_channel());
        // While a line is edited, the terminal is another.
        let terminal = tcgetattr(std::io::stdin()).ok();
        let hear = move || events.block_on(hear(waits, terminal));
        std::thread::Builder::new().name("aivm-idle".to_owned()).spawn(hear)?;
        Ok((handle, sender))
    }

    /// Reads a line. What was asked before, of a run, is none of its business.
    pub fn during<T>(&self, read: impl FnOnce() -> T) -> T {
        let Some((handle, sender)) = &self.0 else { return read() };
        let signals = {
            let _within = handle.enter();
            Signals::listen()
        };
        let _ = sender.send(Some(signals));
        let line = read();
        let _ = sender.send(None);
        line
    }
}

async fn hear(mut waits: UnboundedReceiver<Option<Signals>>, terminal: Option<Termios>) {
    let mut signals: Option<Signals> = None;
    loop {
        let asked = poll_fn(|context| signals.as_mut().map_or(Poll::Pending, |signals| signals.poll(context)));
        tokio::select! {
            // First whether a line is still waited for.
            biased;
            waiting = waits.recv() => match waiting {
                Some(waiting) => signals = waiting,
                None => return,
            },
            _ = asked => break,
        }
    }
    if let Some(terminal) = terminal {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &terminal);
        println!("");
    }
    std::process::exit(Exit::INTERRUPTED.number().into());
}
