//! Which recorded call answers, and why none does.

use super::*;
use std::collections::HashMap;

/// The lines of a file.
pub(super) struct Recorded {
    lines: Vec<Line>,
    /// Those that have answered.
    used: Vec<bool>,
    /// The lines of each request, in order.
    equal: HashMap<String, Equal>,
    /// The line of each request at a step and attempt.
    own: HashMap<(String, String, u32), usize>,
}

/// Lines of one request.
#[derive(Default)]
struct Equal {
    places: Vec<usize>,
    /// All before it have answered.
    next: usize,
}

impl Recorded {
    pub fn new(mut lines: Vec<Line>) -> Recorded {
        let call = |line: &Line| (line.request.identity(), line.step.clone(), line.attempt);
        // A call that a process was killed over is made again: with that answer the run went on.
        let latest: HashMap<_, _> = lines.iter().enumerate().map(|(at, line)| (call(line), at)).collect();
        let mut at = 0..;
        lines.retain(|line| at.next() == latest.get(&call(line)).copied());
        let mut equal: HashMap<String, Equal> = HashMap::new();
        for (at, line) in lines.iter().enumerate() {
            equal.entry(line.request.identity()).or_default().places.push(at);
        }
        let own = lines.iter().enumerate().map(|(at, line)| (call(line), at)).collect();
        Recorded { used: vec![false; lines.len()], lines, equal, own }
    }

    /// The answer and its place; or what differs from what is recorded.
    pub fn find(&mut self, task: &Task, request: &Request) -> Result<(usize, Answer), String> {
        let (identity, step) = (request.identity(), task.key.to_string());
        let used = &mut self.used;
        let in_order = |equal: &mut Equal| {
            while equal.places.get(equal.next).is_some_and(|at| used.get(*at) == Some(&true)) {
                equal.next += 1;
            }
            equal.places.get(equal.next).or(equal.places.last()).copied()
        };
        let own = self.own.get(&(identity.clone(), step.clone(), task.attempt)).copied();
        let at = own.or_else(|| self.equal.get_mut(&identity).and_then(in_order));
        let Some((at, line)) = at.and_then(|at| Some((at, self.lines.get(at)?))) else {
            return Err(self.nearest(task, &step, request));
        };
        if let Some(used) = self.used.get_mut(at) {
            *used = true;
        }
        Ok((at, line.answer.clone()))
    }

    /// What differs from the call that is most like it.
    fn nearest(&self, task: &Task, step: &str, request: &Request) -> String {
        let likeness = |line: &&Line| {
            let same = |one: bool, weight: u32| u32::from(one) * weight;
            same(line.step == step, 8)
                + same(line.request.definition == request.definition, 4)
                + same(line.request.input == request.input, 2)
                + same(line.attempt == task.attempt, 1)
        };
        let of_it = self.lines.iter().filter(|line| line.worker == task.worker.name);
        let Some(near) = of_it.max_by_key(likeness) else {
            return format!("no call of `{}` was recorded", task.worker.name);
        };
        let mut differs = Vec::new();
        if near.request.definition != request.definition {
            differs.push(match task.around.params.is_empty() {
                true => "its definition (prompt, settings, behaviours) has changed".to_owned(),
                false => "its definition (prompt, settings, behaviours) or a --param has changed".to_owned(),
            });
        }
        if near.request.input != request.input {
            let (then, now) = (&near.request, request);
            differs.push(match then.media_type == now.media_type {
                true => format!("its input has changed: it was {:?}, and is {:?}", then.excerpt, now.excerpt),
                false => format!("its input has changed: it was {}, and is {}", then.media_type, now.media_type),
            });
        }
        if near.request.words != request.words {
            let words = |words: &[String]| words.join(", ");
            differs.push(format!(
                "the words that it may answer have changed: they were {}, and are {}",
                words(&near.request.words),
                words(&request.words)
            ));
        }
        let differs = differs.join("; ");
        match near.step == step {
            true => differs,
            false => format!("never recorded at this step; of the nearest, {}: {differs}", near.step),
        }
    }
}
