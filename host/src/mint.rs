//! Where artifacts get what a pure program cannot know: the time and random bits. Clock and random are traits, so that a
//! simulation brings its own.

use aivm_schema::artifact::{Artifact, ArtifactError, Draft};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock.
pub trait Clock: Send {
    /// Unix nanoseconds.
    fn now(&mut self) -> u64;
}

/// A source of random bits.
pub trait Random: Send {
    /// Fills the bytes.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// The clock of this machine.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&mut self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    }
}

/// Random bits of the operating system, stretched by BLAKE3: unique ids need no system call each.
pub struct SystemRandom {
    stream: blake3::OutputReader,
}

impl SystemRandom {
    /// Seeded by the operating system; fails where it has no randomness to give.
    pub fn new() -> Result<SystemRandom, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(SystemRandom { stream: blake3::Hasher::new_keyed(&seed).finalize_xof() })
    }
}

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.stream.fill(bytes);
    }
}

/// Random bytes of the operating system, for keys.
pub fn fill_random(bytes: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(bytes)
}

/// Makes artifacts of drafts.
pub trait Seal {
    /// An artifact of this draft. Fails when it cannot be one.
    fn seal(&self, draft: Draft) -> Result<Artifact, ArtifactError>;
}

/// Makes the artifact that the machine asked for by a request: the same whenever it is made again.
#[derive(Clone, Copy, Debug)]
pub struct Derived<'r> {
    /// The run's name.
    pub run: &'r str,
    /// The machine's number of the request.
    pub request: u64,
    /// When what it is made of was told to the machine: unix nanoseconds.
    pub at: u64,
}

impl Seal for Derived<'_> {
    fn seal(&self, draft: Draft) -> Result<Artifact, ArtifactError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.run.as_bytes()).update(&self.request.to_le_bytes());
        let hash = *hasher.finalize().as_bytes();
        draft.seal(self.at, std::array::from_fn(|at| hash.get(at).copied().unwrap_or_default()))
    }
}

/// Makes artifacts: gives each its time and its id. Times never go back within one mint, whatever the clock does.
/// Lanes share it.
pub struct Mint {
    inner: Mutex<Inner>,
}

struct Inner {
    clock: Box<dyn Clock>,
    random: Box<dyn Random>,
    /// Random bytes drawn ahead.
    drawn: [u8; 640],
    used: usize,
    last: u64,
}

impl Mint {
    /// With this clock and this randomness.
    pub fn new(clock: Box<dyn Clock>, random: Box<dyn Random>) -> Mint {
        Mint { inner: Mutex::new(Inner { clock, random, drawn: [0; 640], used: 640, last: 0 }) }
    }

    /// With those of this machine.
    pub fn system() -> Result<Mint, getrandom::Error> {
        Ok(Mint::new(Box::new(SystemClock), Box::new(SystemRandom::new()?)))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unix nanoseconds, later than at any call before.
    pub fn now(&self) -> u64 {
        let inner = &mut *self.inner();
        inner.last = inner.clock.now().max(inner.last + 1);
        inner.last
    }

    /// An artifact of this draft, made now.
    pub fn seal(&self, draft: Draft) -> Result<Artifact, ArtifactError> {
        let now = self.now();
        draft.seal(now, self.bits())
    }

    /// A new run's name: short, and in order of time.
    pub fn run_id(&self) -> String {
        let millis = self.now() / 1_000_000;
        let bits = self.bits();
        let tail: String = bits.iter().take(3).map(|byte| format!("{byte:02x}")).collect();
        format!("{}{tail}", base32(millis))
    }

    fn bits(&self) -> [u8; 10] {
        let inner = &mut *self.inner();
        if inner.used + 10 > inner.drawn.len() {
            inner.random.fill(&mut inner.drawn);
            inner.used = 0;
        }
        let bits = inner.drawn.get(inner.used..inner.used + 10).and_then(|bits| bits.try_into().ok());
        inner.used += 10;
        bits.unwrap_or_default()
    }
}

impl Seal for Mint {
    fn seal(&self, draft: Draft) -> Result<Artifact, ArtifactError> {
        Mint::seal(self, draft)
    }
}

/// Nine characters for a time in milliseconds that sort as it does (Crockford's alphabet, lower case).
fn base32(mut value: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut out = [b'0'; 9];
    for place in out.iter_mut().rev() {
        *place = DIGITS.get((value % 32) as usize).copied().unwrap_or(b'0');
        value /= 32;
    }
    out.iter().map(|byte| char::from(*byte)).collect()
}
