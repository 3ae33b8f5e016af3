//! What calls take of the machine: processors and memory, of which all runs of a process have a share. Whoever takes more than is left
//! waits until somebody is done, in the order in which they came; whoever asks for more than there is has all of it.

use aivm_schema::unit::Bytes;
use aivm_schema::worker::{Processors, Resources};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which memory is counted, in bytes.
const MEBIBYTE: u64 = 1 << 20;

/// What there is.
#[derive(Debug)]
pub struct Machine {
    /// In thousandths.
    processors: Share,
    /// In mebibytes.
    memory: Share,
}

/// What a call has taken; it is given back when it is dropped.
#[derive(Debug, Default)]
pub struct Lease {
    _processors: Option<OwnedSemaphorePermit>,
    _memory: Option<OwnedSemaphorePermit>,
    /// How long it waited.
    pub waited: Duration,
}

#[derive(Debug)]
struct Share {
    whole: u32,
    left: Arc<Semaphore>,
}

impl Share {
    fn of(whole: u32) -> Share {
        Share { whole, left: Arc::new(Semaphore::new(whole as usize)) }
    }

    async fn take(&self, amount: Option<u32>) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.left.clone().acquire_many_owned(amount?.min(self.whole)).await.ok()
    }
}

impl Default for Machine {
    /// This one.
    fn default() -> Machine {
        let processors = std::thread::available_parallelism().map_or(1, usize::from) as u32;
        Machine::of(processors.saturating_mul(1000), memory())
    }
}

impl Machine {
    /// So many thousandths of a processor, and so many bytes.
    pub fn of(processors: u32, memory: u64) -> Machine {
        Machine { processors: Share::of(processors), memory: Share::of(mebibytes(memory)) }
    }

    /// Returns when that much is left; none: it is not within that time.
    pub async fn lease(&self, wanted: Resources, most: Option<Duration>) -> Option<Lease> {
        let began = Instant::now();
        // Always in this order: nobody waits for whoever waits for them.
        let taken = async {
            let processors = self.processors.take(wanted.cpu.map(|Processors(thousandths)| thousandths)).await;
            (processors, self.memory.take(wanted.memory.map(|Bytes(bytes)| mebibytes(bytes))).await)
        };
        let (processors, memory) = match most {
            Some(most) => tokio::time::timeout(most, taken).await.ok()?,
            None => taken.await,
        };
        Some(Lease { _processors: processors, _memory: memory, waited: began.elapsed() })
    }
}

fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(MEBIBYTE))
        .unwrap_or(u32::MAX)
        .min(Semaphore::MAX_PERMITS.min(u32::MAX as usize) as u32)
}

/// All memory of this machine, in bytes; where it cannot be told, as much as anybody asks for.
fn memory() -> u64 {
    let about = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total =
        about.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    total.map_or(u64::MAX, |kilobytes| kilobytes.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use tokio::time::timeout;

    fn wanted(cpu: Option<u32>, memory: Option<u64>) -> Resources {
        Resources { cpu: cpu.map(Processors), memory: memory.map(Bytes) }
    }

    #[tokio::test]
    async fn what_is_taken_is_not_there_until_it_is_given_back() {
        let machine = Machine::of(2_000, 8 * MEBIBYTE);
        let soon = Some(Duration::from_millis(1));
        let one = machine.lease(wanted(Some(1_500), Some(MEBIBYTE)), soon).await.expect("there is room");
        assert!(machine.lease(wanted(Some(1_000), None), soon).await.is_none());
        let half = machine.lease(wanted(Some(500), Some(7 * MEBIBYTE)), soon).await.expect("the rest");
        assert!(machine.lease(wanted(None, Some(1)), soon).await.is_none());
        // Whoever takes nothing never waits.
        assert!(machine.lease(Resources::default(), soon).await.is_some());
        drop((one, half));
        assert!(machine.lease(wanted(Some(1_000), Some(8 * MEBIBYTE)), soon).await.is_some());
    }

    #[tokio::test]
    async fn whoever_wants_more_than_there_is_has_all_of_it_in_turn() {
        let machine = Machine::of(2_000, MEBIBYTE);
        let all = machine.lease(wanted(Some(64_000), Some(u64::MAX)), None).await.expect("all of it");
        let mut next = pin!(machine.lease(wanted(Some(64_000), None), None));
        assert!(timeout(Duration::ZERO, &mut next).await.is_err());
        // A small one that comes later does not overtake it.
        let mut small = pin!(machine.lease(wanted(Some(1), None), None));
        assert!(timeout(Duration::ZERO, &mut small).await.is_err());
        drop(all);
        let next = next.await.expect("its turn");
        assert!(timeout(Duration::ZERO, &mut small).await.is_err());
        drop(next);
        assert!(small.await.is_some());
    }
}
