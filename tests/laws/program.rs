//! Programs out of a number: valid, small, and of every form that the language has.

use crate::dice::Dice;
use crate::places;
use crate::script::SPAN;
use std::fmt::{self, Write};

/// A program.
#[derive(Clone)]
pub struct Program {
    /// The default count.
    pub count: u16,
    /// Name and chain; the later ones call the earlier.
    pub definitions: Vec<(String, Chain)>,
    pub body: Chain,
}

pub type Chain = Vec<Stage>;

#[derive(Clone)]
pub struct Stage {
    /// Tells it from all others.
    pub id: usize,
    pub kind: &'static str,
    pub label: String,
    pub labelled: bool,
    pub limits: Vec<String>,
    pub chooser: bool,
    pub elements: Vec<Element>,
    pub arms: Vec<Arm>,
}

#[derive(Clone)]
pub enum Element {
    Step(Step),
    Chain(Chain),
}

#[derive(Clone)]
pub struct Step {
    pub worker: String,
    pub limits: Vec<String>,
    pub undo: Option<String>,
    pub refs: Vec<String>,
    pub outcomes: Vec<String>,
}

#[derive(Clone)]
pub struct Arm {
    pub on: String,
    pub then: Then,
}

#[derive(Clone)]
pub enum Then {
    Ends(Vec<String>),
    Chain(Chain),
}

/// What a program has.
struct Taste {
    joins: bool,
    selects: bool,
    deadlines: bool,
    money: bool,
    undo: bool,
    chains: usize,
}

struct Maker {
    dice: Dice,
    taste: Taste,
    ids: usize,
    /// Steps still to be made.
    left: usize,
    callable: Vec<String>,
}

impl Program {
    pub fn new(number: u64) -> Program {
        let mut dice = Dice::new(number.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0xa1);
        let taste = Taste {
            joins: dice.chance(60),
            selects: dice.chance(50),
            deadlines: dice.chance(35),
            money: dice.chance(30),
            undo: dice.chance(60),
            chains: *dice.pick(&[5, 20, 35]),
        };
        let mut maker = Maker { dice, taste, ids: 0, left: 0, callable: Vec::new() };
        let mut definitions = Vec::new();
        for name in ["d", "e"] {
            if maker.dice.chance(30) {
                maker.left = 3;
                let chain = maker.chain(2, true);
                definitions.push((name.to_owned(), chain));
                maker.callable.push(name.to_owned());
            }
        }
        // One that is always cancelled, in one way or another.
        if maker.dice.chance(25) {
            maker.left = 0;
            let mut chain = maker.chain(2, true);
            let mut last = maker.stage(2, false, false);
            (last.kind, last.chooser, last.limits) = ("switch", false, Vec::new());
            last.elements.truncate(1);
            if let Some(Element::Step(step)) = last.elements.first_mut() {
                step.outcomes = vec!["cancel".into()];
            }
            chain.push(last);
            definitions.push(("h".to_owned(), chain));
            maker.callable.push("h".to_owned());
        }
        maker.left = 3 + maker.dice.below(10);
        let body = maker.chain(0, true);
        let count = 2 + maker.dice.below(2) as u16;
        let mut program = Program { count, definitions, body };
        places::fill(&mut program, &mut maker.dice);
        program
    }
}

impl Maker {
    /// `quick`: it may begin by something that takes no time.
    fn chain(&mut self, depth: usize, quick: bool) -> Chain {
        let mut chain = vec![self.stage(depth, true, quick)];
        while self.left > 0 && self.dice.chance(45) && chain.len() < 4 {
            chain.push(self.stage(depth, false, true));
        }
        chain
    }

    fn stage(&mut self, depth: usize, first: bool, quick: bool) -> Stage {
        let kind = match self.dice.below(100) {
            n if quick && n < if first { 12 } else { 50 } => "match",
            n if n < 65 && self.taste.selects => "select",
            n if n < 85 && self.taste.joins => "join",
            _ => "switch",
        };
        self.ids += 1;
        let id = self.ids;
        let mut stage = Stage {
            id,
            kind,
            label: format!("s{id}"),
            labelled: self.dice.chance(65),
            limits: Vec::new(),
            chooser: false,
            elements: Vec::new(),
            arms: Vec::new(),
        };
        match kind {
            "match" => self.arms(&mut stage, depth),
            _ => {
                let most = if kind == "switch" { 4 } else { 3 };
                let least = if kind == "join" { 2 } else { 1 };
                for _ in 0..least + self.dice.below(most - least + 1) {
                    let element = self.element(kind, depth);
                    stage.elements.push(element);
                }
            }
        }
        if kind == "switch" && self.dice.chance(12) && self.left > 0 {
            return self.as_loop(stage);
        }
        stage.chooser = kind == "select" && self.dice.chance(60);
        stage.labelled |= stage.chooser;
        if self.dice.chance(if kind == "join" || kind == "select" { 40 } else { 20 }) {
            let most = if kind == "join" { stage.elements.len() } else { 3 };
            stage.limits.push((1 + self.dice.below(most)).to_string());
        }
        if self.taste.deadlines && self.dice.chance(20) {
            stage.limits.push(self.duration());
        }
        if self.taste.money && self.dice.chance(if stage.chooser { 80 } else { 30 }) {
            stage.limits.push(self.dice.pick(&["$0.10", "$0.30", "$0.50", "$1", "2kt", "4kt"]).to_string());
        }
        if self.dice.chance(4) {
            stage.limits.push("careful".into());
        }
        stage
    }

    /// The sketch's own form: a limited stage whose match decides whether to go round again.
    fn as_loop(&mut self, mut stage: Stage) -> Stage {
        stage.labelled = true;
        stage.limits.push((2 + self.dice.below(2)).to_string());
        let again = Arm { on: "default".into(), then: Then::Ends(vec![format!("[{}.jump]", stage.label)]) };
        let end = Arm { on: "done".into(), then: Then::Ends(vec!["send".into()]) };
        self.ids += 1;
        let (id, label) = (self.ids, format!("s{}", self.ids));
        let (limits, elements, arms) = (Vec::new(), Vec::new(), vec![end, again]);
        let decides = Stage { id, kind: "match", label, labelled: false, limits, chooser: false, elements, arms };
        stage.elements.push(Element::Chain(vec![decides]));
        stage
    }

    fn duration(&mut self) -> String {
        format!("{}ms", (SPAN >> (1 + self.dice.below(3))) + self.dice.next() % (SPAN / 2))
    }

    fn arms(&mut self, stage: &mut Stage, depth: usize) {
        let words = ["yes", "no", "good", "success", "failure", "exhausted", "timeout", "cancel", "done", "default"];
        let mut free: Vec<&str> = words.to_vec();
        for _ in 0..1 + self.dice.below(4) {
            let on = free.remove(self.dice.below(free.len()));
            stage.arms.push(self.arm(on, depth));
        }
        if free.contains(&"default") && self.dice.chance(75) {
            stage.arms.push(self.arm("default", depth));
        }
    }

    fn arm(&mut self, on: &str, depth: usize) -> Arm {
        let then = if self.left > 0 && depth < 3 && self.dice.chance(30) {
            Then::Chain(self.chain(depth + 1, true))
        } else {
            // Jumps are filled in later.
            let ends = ["send", "send", "send", "next", "cancel", "timeout", "jump", "jump"];
            let mut chosen: Vec<String> = Vec::new();
            for _ in 0..1 + self.dice.below(2) {
                let end = (*self.dice.pick(&ends)).to_owned();
                if !chosen.contains(&end) {
                    chosen.push(end);
                }
            }
            Then::Ends(chosen)
        };
        Arm { on: on.to_owned(), then }
    }

    fn element(&mut self, kind: &str, depth: usize) -> Element {
        let chains = if kind == "join" { self.taste.chains + 15 } else { self.taste.chains };
        if self.left > 0 && depth < 3 && self.dice.chance(chains) {
            let mut chain = self.chain(depth + 1, kind != "join");
            // A chooser needs a name for it.
            chain[0].labelled |= kind == "select";
            return Element::Chain(chain);
        }
        self.left = self.left.saturating_sub(1);
        Element::Step(self.step(kind))
    }

    fn step(&mut self, kind: &str) -> Step {
        let mut workers: Vec<String> = ["a", "b", "c", "f", "g", "k", "m"].map(str::to_owned).to_vec();
        for name in &self.callable {
            let often = if kind == "select" { 5 } else { 2 };
            workers.extend(std::iter::repeat_n(name.clone(), often));
        }
        let worker = self.dice.pick(&workers).clone();
        let mut limits = Vec::new();
        if self.dice.chance(18) {
            limits.push((1 + self.dice.below(3)).to_string());
        }
        if self.taste.deadlines && self.dice.chance(15) {
            limits.push(self.duration());
        }
        if self.taste.money && self.dice.chance(20) {
            limits.push(self.dice.pick(&["$0.30", "$0.50", "1kt"]).to_string());
        }
        if self.dice.chance(4) {
            limits.push("careful".into());
        }
        let undoers: Vec<String> = ["undo".to_owned()].into_iter().chain(self.callable.iter().cloned()).collect();
        let undo = (self.taste.undo && self.dice.chance(35)).then(|| self.dice.pick(&undoers).clone());
        // Which are filled in later.
        let refs = match self.dice.below(100) {
            0..14 => vec!["ref".to_owned()],
            14..22 => vec!["ref".to_owned(), "ref".to_owned()],
            22..30 => vec!["each".to_owned()],
            _ => Vec::new(),
        };
        Step { worker, limits, undo, refs, outcomes: self.outcomes(kind) }
    }

    fn outcomes(&mut self, kind: &str) -> Vec<String> {
        let first = match self.dice.below(10) {
            0..8 => &["next", "next", "next", "send", "continue"][..],
            _ => &["back", "retry", "cancel", "jump"][..],
        };
        let more =
            ["next", "send", "continue", "back", "back", "retry", "retry", "cancel", "cancel", "timeout", "jump"];
        let mut outcomes: Vec<String> = Vec::new();
        for at in 0..1 + self.dice.below(4) {
            let outcome = *self.dice.pick(if at == 0 { first } else { &more[..] });
            let known = outcomes.iter().any(|other| other.starts_with(outcome)) && outcome != "jump";
            if known || outcome == "back" && kind == "join" {
                continue;
            }
            outcomes.push(match outcome {
                "back" | "retry" if self.dice.chance(30) => format!("{outcome} * 2"),
                outcome => outcome.to_owned(),
            });
        }
        if outcomes.is_empty() {
            outcomes.push("next".into());
        }
        outcomes
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let mut head = format!("+++\n[limits]\ncount = {}\n", self.count);
        for (worker, setting) in [
            ("a", "cost = \"$0.10\""),
            ("b", "cost = \"$0.30\"\ntokens = \"1kt\""),
            ("g", "prompt = \"Say something.\""),
            ("k", "words = [\"yes\", \"no\"]"),
            ("m", "words = [\"good\"]\ncost = \"$0.20\""),
        ] {
            let used = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == worker);
            if used {
                let _ = write!(head, "[worker.{worker}]\n{setting}\nmock = []\n");
            }
        }
        for chain in self.definitions.iter().map(|definition| &definition.1).chain([&self.body]) {
            choosers(chain, &mut head);
        }
        write!(f, "{head}+++\n{text}")
    }
}

/// Settings of the selects that have a chooser.
fn choosers(chain: &Chain, head: &mut String) {
    for stage in chain {
        if stage.chooser {
            let _ = writeln!(head, "[stage.{}]\nchooser = \"boss\"", stage.label);
        }
        for chain in stage.chains() {
            choosers(chain, head);
        }
    }
}

impl Stage {
    /// The chains inside.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        let elements = self.elements.iter().filter_map(|element| match element {
            Element::Chain(chain) => Some(chain),
            Element::Step(_) => None,
        });
        elements.chain(self.arms.iter().filter_map(|arm| match &arm.then {
            Then::Chain(chain) => Some(chain),
            Then::Ends(_) => None,
        }))
    }
}

impl Program {
    fn text(&self) -> String {
        let mut out = String::new();
        for (name, chain) in &self.definitions {
            let _ = writeln!(out, "{name} <= (");
            chain_text(chain, 1, &mut out);
            out.push_str(")\n");
        }
        out.push_str("out <= (\n");
        chain_text(&self.body, 1, &mut out);
        out.push_str(") <= in\n");
        out
    }
}

fn indent(depth: usize) -> String {
    "    ".repeat(depth)
}

fn chain_text(chain: &Chain, depth: usize, out: &mut String) {
    for (at, stage) in chain.iter().enumerate() {
        out.push_str(&indent(depth));
        out.push_str(if at > 0 { "<= " } else { "" });
        stage_text(stage, depth, out);
        out.push('\n');
    }
}

fn limits_text(limits: &[String]) -> String {
    if limits.is_empty() { String::new() } else { format!("<{}>", limits.join(", ")) }
}

fn stage_text(stage: &Stage, depth: usize, out: &mut String) {
    let label = if stage.labelled { format!("[{}]", stage.label) } else { String::new() };
    let _ = writeln!(out, "{}{label}{} <= (", stage.kind, limits_text(&stage.limits));
    for (at, element) in stage.elements.iter().enumerate() {
        match element {
            Element::Step(step) => {
                let _ = writeln!(out, "{}{}", indent(depth + 1), step_text(step));
            }
            Element::Chain(chain) => {
                let last = at + 1 == stage.elements.len() && stage.kind == "switch";
                if last {
                    let _ = writeln!(out, "{}out <=", indent(depth + 1));
                }
                chain_text(chain, depth + 1, out);
            }
        }
    }
    for arm in &stage.arms {
        let _ = write!(out, "{}{} => ", indent(depth + 1), arm.on);
        match &arm.then {
            Then::Ends(ends) => {
                let _ = writeln!(out, "{}", ends.join(" | "));
            }
            Then::Chain(chain) => {
                out.push_str("out <=\n");
                chain_text(chain, depth + 2, out);
            }
        }
    }
    let _ = write!(out, "{})", indent(depth));
}

fn step_text(step: &Step) -> String {
    let undo = step.undo.as_ref().map_or(String::new(), |undo| format!(" ~ {undo}"));
    let worker = format!("{}{}{undo}", step.worker, limits_text(&step.limits));
    let outcomes = step.outcomes.join(" | ");
    if step.refs.is_empty() {
        format!("{worker} => {outcomes}")
    } else {
        format!("[{worker} <= {}] => {outcomes}", step.refs.join(", "))
    }
}
