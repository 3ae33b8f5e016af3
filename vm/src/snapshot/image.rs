//! The same state with other values: artifacts become numbers on the way out, numbers artifacts on the way in.

use crate::slab::{Id, Slab};
use crate::state::*;

impl<V> Data<V> {
    /// Each value replaced; `None` when one cannot be. Of a run that has ended, only the end is kept.
    pub(super) fn map<U>(&self, f: &mut impl FnMut(&V) -> Option<U>) -> Option<Data<U>> {
        let ended = self.end.is_some();
        Some(Data {
            fibers: slab(&self.fibers, ended, |fiber| fiber.map(f))?,
            frames: slab(&self.frames, ended, |frame| frame.map(f))?,
            scopes: slab(&self.scopes, ended, |scope| scope.map(f))?,
            groups: slab(&self.groups, ended, |group| group.map(f))?,
            root: self.root,
            ready: if ended { Default::default() } else { self.ready.clone() },
            parked: if ended { Default::default() } else { self.parked.clone() },
            starved: if ended { Default::default() } else { self.starved.clone() },
            next_request: self.next_request,
            next_timer: self.next_timer,
            sequence: self.sequence,
            account: self.account,
            floor: self.floor,
            kept: undoers(&self.kept, f)?,
            stuck: undoers(&self.stuck, f)?,
            end: match &self.end {
                Some(Ok((value, verdict))) => Some(Ok((f(value)?, *verdict))),
                Some(Err(ending)) => Some(Err(ending.clone())),
                None => None,
            },
        })
    }
}

fn undoers<V, U>(undoers: &[Undoer<V>], f: &mut impl FnMut(&V) -> Option<U>) -> Option<Vec<Undoer<U>>> {
    undoers.iter().map(|undoer| undoer.map(f)).collect()
}

fn slab<I: Id, T, U>(from: &Slab<I, T>, ended: bool, mut f: impl FnMut(&T) -> Option<U>) -> Option<Slab<I, U>> {
    let entries = if ended { &[] } else { from.entries() };
    let mapped: Option<Vec<Option<U>>> = entries
        .iter()
        .map(|entry| match entry {
            Some(entry) => f(entry).map(Some),
            None => Some(None),
        })
        .collect();
    mapped.map(Slab::from_entries)
}

impl<V> Fiber<V> {
    fn map<U>(&self, f: &mut impl FnMut(&V) -> Option<U>) -> Option<Fiber<U>> {
        Some(Fiber {
            role: self.role,
            stack: self.stack.iter().map(|activation| activation.map(f)).collect::<Option<_>>()?,
            value: f(&self.value)?,
            verdict: self.verdict,
            gathered: self.gathered.iter().map(|(from, value)| Some((*from, f(value)?))).collect::<Option<_>>()?,
            broken: self.broken.clone(),
            caught: self.caught.clone(),
            state: self.state.clone(),
        })
    }
}

impl<V> Activation<V> {
    fn map<U>(&self, f: &mut impl FnMut(&V) -> Option<U>) -> Option<Activation<U>> {
        Some(Activation {
            function: self.function,
            frame: self.frame,
            owns_frame: self.owns_frame,
            undo: self.undo,
            pc: self.pc,
            scope: self.scope,
            base: self.base,
            visit: match &self.visit {
                Some(visit) => Some(Visit {
                    step: visit.step,
                    number: visit.number,
                    item: visit.item,
                    attempt: visit.attempt,
                    input: match &visit.input {
                        Some(input) => Some(f(input)?),
                        None => None,
                    },
                    scoped: visit.scoped,
                }),
                None => None,
            },
            ask_again: self.ask_again,
            group: self.group,
            unwind: match &self.unwind {
                Some(unwind) => Some(Box::new(unwind.map(f)?)),
                None => None,
            },
        })
    }
}

impl<V> Unwind<V> {
    fn map<U>(&self, f: &mut impl FnMut(&V) -> Option<U>) -> Option<Unwind<U>> {
        let undoing = match &self.undoing {
            Some(Undoing { undoer, attempt }) => Some(Undoing { undoer: undoer.map(f)?, attempt: *attempt }),
            None => None,
        };
        Some(Unwind { ending: self.ending.clone(), until: self.until, undoing })
    }
}

impl<V> Undoer<V> {
    fn map<U>(&self, f: &mut impl FnMut(&V) -> Option<U>) -> Option<Undoer<U>> {
        Some(Undoer { sequence: self.sequence, step: self.step, key: self.key.clone(), output: f(&self.output)? })
    }
}

impl<V> Frame<V> {
    fn map<U>(&self, f: &mut impl FnMut(&V) -> Option<U>) -> Option<Frame<U>> {
        let mut registers = Vec::with_capacity(self.registers.len());
        for register in &self.registers {
            registers.push(match register {
                Some(value) => Some(f(value)?),
                None => None,
            });
        }
        Some(Frame {
            function: self.function,
            caller: self.caller.clone(),
            registers,
            counters: self.counters.clone(),
            visits: self.visits.clone(),
            choices: self.choices.clone(),
        })
    }
}

impl<V> Scope<V> {
    fn map<U>(&self, f: &mut impl FnMut(&V) -> Option<U>) -> Option<Scope<U>> {
        Some(Scope {
            parent: self.parent,
            fiber: self.fiber,
            level: self.level,
            kind: self.kind,
            undoers: self.undoers.iter().map(|undoer| undoer.map(f)).collect::<Option<_>>()?,
            timer: self.timer,
            money: self.money,
            tokens: self.tokens,
            caught: self.caught.clone(),
            finish: match &self.finish {
                Some(finish) => {
                    Some(Box::new(Finish { pc: finish.pc, value: f(&finish.value)?, verdict: finish.verdict }))
                }
                None => None,
            },
        })
    }
}

impl<V> Group<V> {
    fn map<U>(&self, f: &mut impl FnMut(&V) -> Option<U>) -> Option<Group<U>> {
        let kind = match &self.kind {
            GroupKind::Join { stage, take, after } => GroupKind::Join { stage: *stage, take: *take, after: *after },
            GroupKind::Map { step, number, whole, total, item } => {
                GroupKind::Map { step: *step, number: *number, whole: f(whole)?, total: *total, item: *item }
            }
        };
        let mut parts = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            parts.push(match part {
                Part::Running => Part::Running,
                Part::Handed(value, verdict) => Part::Handed(f(value)?, *verdict),
                Part::Lost => Part::Lost,
            });
        }
        Some(Group {
            parent: self.parent,
            level: self.level,
            kind,
            scope: self.scope,
            parts,
            living: self.living.clone(),
            handed: self.handed,
            winner: self.winner,
            lost: self.lost.clone(),
            closing: self.closing,
            waiting: self.waiting.clone(),
        })
    }
}
