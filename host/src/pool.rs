//! The pool: threads that run pure built-ins, so that the branches of a join really run at once. In code, a thread of the
//! pool is a *lane*; a *worker* is what a step calls.

use crossbeam_deque::{Injector, Steal, Stealer, Worker as Deque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Something to run on a lane.
pub type Job = Box<dyn FnOnce() + Send>;

/// Lanes and the jobs that wait for one.
pub struct Pool {
    shared: Arc<Shared>,
    lanes: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Injector<Job>,
    stealers: Vec<Stealer<Job>>,
    /// Lanes that wait for jobs. Written under `lock` only, as is `waking`.
    idle: AtomicUsize,
    /// A lane has been called and is not there yet: calling more of them would only cost system calls. It calls the next.
    waking: AtomicBool,
    closed: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Pool {
    /// With so many lanes, at least one. Fails where the system gives no threads.
    pub fn new(lanes: usize) -> std::io::Result<Pool> {
        let deques: Vec<Deque<Job>> = (0..lanes.max(1)).map(|_| Deque::new_fifo()).collect();
        let shared = Arc::new(Shared {
            queue: Injector::new(),
            stealers: deques.iter().map(Deque::stealer).collect(),
            idle: AtomicUsize::new(0),
            waking: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let start = |(at, deque): (usize, Deque<Job>)| {
            let shared = shared.clone();
            std::thread::Builder::new().name(format!("aivm-lane-{at}")).spawn(move || shared.run(&deque))
        };
        let lanes = deques.into_iter().enumerate().map(start).collect::<Result<_, _>>()?;
        Ok(Pool { shared, lanes })
    }

    /// As many lanes as this machine has cores.
    pub fn of_machine() -> std::io::Result<Pool> {
        Pool::new(std::thread::available_parallelism().map_or(1, usize::from))
    }

    /// Runs a job on the next free lane. A job that panics takes only itself down.
    pub fn run(&self, job: Job) {
        self.shared.queue.push(job);
        self.shared.call_lane();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        {
            let _held = self.shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.wake.notify_all();
        }
        for lane in self.lanes.drain(..) {
            let _ = lane.join();
        }
    }
}

impl Shared {
    /// Wakes a lane that waits, unless one is on its way.
    fn call_lane(&self) {
        let wanted = || self.idle.load(Ordering::SeqCst) > 0 && !self.waking.load(Ordering::SeqCst);
        if wanted() {
            let _held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            if wanted() {
                self.waking.store(true, Ordering::SeqCst);
                self.wake.notify_one();
            }
        }
    }

    fn run(&self, own: &Deque<Job>) {
        loop {
            if let Some(job) = self.find(own) {
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
                continue;
            }
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            // Say that this lane waits before looking once more: a job pushed in between is then seen or wakes it.
            let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.idle.fetch_add(1, Ordering::SeqCst);
            if self.queue.is_empty() && !self.closed.load(Ordering::SeqCst) {
                held = self.wake.wait(held).unwrap_or_else(PoisonError::into_inner);
                self.waking.store(false, Ordering::SeqCst);
            }
            self.idle.fetch_sub(1, Ordering::SeqCst);
            drop(held);
            if !self.queue.is_empty() {
                self.call_lane();
            }
        }
    }

    fn find(&self, own: &Deque<Job>) -> Option<Job> {
        own.pop().or_else(|| {
            std::iter::repeat_with(|| {
                self.queue.steal_batch_and_pop(own).or_else(|| self.stealers.iter().map(Stealer::steal).collect())
            })
            .find(|steal: &Steal<Job>| !steal.is_retry())
            .and_then(Steal::success)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn every_job_runs_once_and_a_panic_takes_no_lane_down() {
        let pool = Pool::new(2).expect("threads");
        let (done, finished) = mpsc::channel();
        for n in 0..10_000u32 {
            let done = done.clone();
            pool.run(Box::new(move || {
                assert!(n % 1_000 != 999, "on purpose");
                let _ = done.send(n);
            }));
        }
        drop(done);
        let mut all: Vec<u32> = finished.iter().collect();
        all.sort_unstable();
        assert_eq!(all.len(), 9_990);
        all.dedup();
        assert_eq!(all.len(), 9_990);
    }

    #[test]
    fn a_lane_that_waits_is_always_called() {
        let pool = Pool::new(2).expect("threads");
        let (done, finished) = mpsc::channel();
        for n in 0..20_000u32 {
            let done = done.clone();
            pool.run(Box::new(move || done.send(n).expect("somebody listens")));
            assert_eq!(finished.recv().expect("it ran"), n);
        }
    }
}
