//! Held runs: calls begin one at a time, when whoever looks says so. Between two of them such a run can be left as it stands: it is
//! parked then, with nothing under way, and goes on as every parked run does.

use super::*;

impl Driver<'_> {
    /// Do calls wait to be let go, and nothing else goes on?
    pub(super) fn is_on_hold(&self) -> bool {
        self.observer.is_holding() && !self.run.on_hold().is_empty()
    }

    /// What is due comes first: time does not stand still. Then one call is let go; false: none is.
    pub(super) fn let_one_go(&mut self) -> bool {
        if self.hear() || self.run.wake(self.mint.now()) {
            return true;
        }
        let Some(request) = self.observer.next(&self.run.on_hold()) else { return false };
        self.run.let_go(self.mint.now(), request);
        true
    }
}
