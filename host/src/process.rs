//! What a run needs of the operating system beside storage, clock and random bits: somebody who carries out its calls, and who
//! asks it to stop. A trait, so that a simulation brings its own.

use crate::pool::Pool;
use crate::signals::Signals;
use crate::work::{self, Returned, Surroundings, Task, leftovers, mock};
use aivm_vm::action::RequestId;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// The operating system, as a driver sees it.
pub trait Process {
    /// Begins a call that is not answered on the spot. `mock` answers instead of the worker, when it is given.
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply);

    /// Ends what is left of these steps of a run, by their keys.
    fn end_leftovers(&self, around: &Surroundings, steps: &[String]);

    /// What asks this process to stop, from now on.
    fn signals(&self) -> Signals;

    /// The threads for pure built-ins, when a run needs them for the first time: its own, or those that several share.
    fn pool(&self) -> std::io::Result<Arc<Pool>> {
        Pool::of_machine().map(Arc::new)
    }

    /// May a call be answered as the same was before? Not where it is recorded.
    fn may_cache(&self) -> bool {
        true
    }

    /// Are calls of the world answered without being made?
    fn replays(&self) -> bool {
        false
    }
}

/// Why a call is not carried out and the run cannot go on in this process: no failure of the call, so that no edge is taken
/// for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// By a cassette, which has no answer to it or cannot be written.
    #[error("{0}")]
    Cassette(String),
    /// By the store, which does not keep the run of a program that the call runs.
    #[error("{0}")]
    Store(String),
}

/// Hears the answer to a call before the driver does; none: there is none, and will not be.
type Ear = Box<dyn FnOnce(Option<&Returned>) -> Result<(), Refused> + Send>;

/// Where the answer to a call goes.
pub struct Reply {
    request: RequestId,
    sender: UnboundedSender<(RequestId, Result<Returned, Refused>)>,
    ear: Option<Ear>,
}

impl Reply {
    pub(crate) fn new(request: RequestId, sender: UnboundedSender<(RequestId, Result<Returned, Refused>)>) -> Reply {
        Reply { request, sender, ear: None }
    }

    /// The same, and `ear` hears the answer first.
    pub(crate) fn heard_by(
        mut self,
        ear: impl FnOnce(Option<&Returned>) -> Result<(), Refused> + Send + 'static,
    ) -> Reply {
        self.ear = Some(Box::new(ear));
        self
    }

    /// The machine's number of the call.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Answers. Nobody hears it when the run is not carried on any more.
    pub fn send(mut self, returned: Returned) {
        // Here, before anybody hears it: neither the run nor a cassette keeps a secret that the answer repeats.
        let returned = returned.redacted();
        let heard = self.ear.take().map_or(Ok(()), |ear| ear(Some(&returned)));
        let _ = self.sender.send((self.request, heard.map(|()| returned)));
    }

    /// The call is not carried out, and the run does not go on in this process.
    pub fn refuse(self, refused: Refused) {
        let _ = self.sender.send((self.request, Err(refused)));
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(ear) = self.ear.take() {
            // Nobody is left who could be told that it is not written.
            let _ = ear(None);
        }
    }
}

/// The operating system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemProcess;

impl Process for SystemProcess {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        tokio::spawn(async move {
            match work::run(task, mock).await {
                Ok(returned) => reply.send(returned),
                Err(refused) => reply.refuse(refused),
            }
        });
    }

    fn end_leftovers(&self, around: &Surroundings, steps: &[String]) {
        leftovers::stop(&around.kept.store(), &around.run, steps);
    }

    fn signals(&self) -> Signals {
        Signals::listen()
    }
}
