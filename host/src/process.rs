//! What a run needs of the operating system beside storage, clock and random bits: somebody who carries out its calls, and who
//! asks it to stop. A trait, so that a simulation brings its own.

use crate::signals::Signals;
use crate::work::{self, Returned, Surroundings, Task, leftovers, mock};
use aivm_vm::action::RequestId;
use tokio::sync::mpsc::UnboundedSender;

/// The operating system, as a driver sees it.
pub trait Process {
    /// Begins a call that is not answered on the spot. `mock` answers instead of the worker, when it is given.
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply);

    /// Ends what is left of these steps of a run, by their keys.
    fn end_leftovers(&self, around: &Surroundings, steps: &[String]);

    /// What asks this process to stop, from now on.
    fn signals(&self) -> Signals;
}

/// Where the answer to a call goes.
pub struct Reply {
    request: RequestId,
    sender: UnboundedSender<(RequestId, Returned)>,
}

impl Reply {
    pub(crate) fn new(request: RequestId, sender: UnboundedSender<(RequestId, Returned)>) -> Reply {
        Reply { request, sender }
    }

    /// The machine's number of the call.
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// Answers. Nobody hears it when the run is not carried on any more.
    pub fn send(self, returned: Returned) {
        let _ = self.sender.send((self.request, returned));
    }
}

/// The operating system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemProcess;

impl Process for SystemProcess {
    fn begin(&self, task: Task, mock: Option<mock::Answering>, reply: Reply) {
        tokio::spawn(async move { reply.send(work::run(task, mock).await) });
    }

    fn end_leftovers(&self, around: &Surroundings, steps: &[String]) {
        leftovers::stop(&around.kept.store(), &around.run, steps);
    }

    fn signals(&self) -> Signals {
        Signals::listen()
    }
}
