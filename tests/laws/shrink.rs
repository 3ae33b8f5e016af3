//! Makes a program smaller as long as a property holds.

use crate::program::{Chain, Element, Program, Stage, Step, Then};

/// The smallest that is found by taking one thing away at a time.
pub fn smallest(mut program: Program, holds: &dyn Fn(&Program) -> bool) -> Program {
    let mut at = 0;
    let mut tries = 0;
    while tries < 3_000 {
        let mut smaller = program.clone();
        let mut cut = Cut { left: at };
        cut.program(&mut smaller);
        if cut.left != DONE {
            return program;
        }
        tries += 1;
        if holds(&smaller) {
            program = smaller;
            at = 0;
        } else {
            at += 1;
        }
    }
    program
}

const DONE: usize = usize::MAX;

/// Takes away the thing with this number.
struct Cut {
    left: usize,
}

impl Cut {
    /// Is it this one's turn?
    fn turn(&mut self) -> bool {
        if self.left == DONE {
            return false;
        }
        if self.left == 0 {
            self.left = DONE;
            return true;
        }
        self.left -= 1;
        false
    }

    fn list<T>(&mut self, list: &mut Vec<T>, least: usize) {
        let mut at = 0;
        while list.len() > least && at < list.len() {
            if self.turn() {
                list.remove(at);
                return;
            }
            at += 1;
        }
    }

    fn program(&mut self, program: &mut Program) {
        self.list(&mut program.definitions, 0);
        self.chain(&mut program.body);
        for (_, chain) in &mut program.definitions {
            self.chain(chain);
        }
    }

    fn chain(&mut self, chain: &mut Chain) {
        self.list(chain, 1);
        for stage in chain {
            self.stage(stage);
        }
    }

    fn stage(&mut self, stage: &mut Stage) {
        self.list(&mut stage.elements, 1);
        self.list(&mut stage.arms, 1);
        self.list(&mut stage.limits, 0);
        if stage.chooser && self.turn() {
            stage.chooser = false;
        }
        for element in &mut stage.elements {
            match element {
                Element::Step(step) => self.step(step),
                Element::Chain(chain) => self.chain(chain),
            }
        }
        for arm in &mut stage.arms {
            match &mut arm.then {
                Then::Ends(ends) => self.list(ends, 1),
                Then::Chain(chain) => {
                    if self.turn() {
                        arm.then = Then::Ends(vec!["send".into()]);
                    } else {
                        self.chain(chain);
                    }
                }
            }
        }
        if stage.labelled && !stage.chooser && self.turn() {
            stage.labelled = false;
        }
    }

    fn step(&mut self, step: &mut Step) {
        self.list(&mut step.outcomes, 1);
        self.list(&mut step.refs, 0);
        self.list(&mut step.limits, 0);
        if step.undo.is_some() && self.turn() {
            step.undo = None;
        }
        if step.worker != "f" && self.turn() {
            step.worker = "f".into();
        }
    }
}
