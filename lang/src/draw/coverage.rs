//! Which edges of a program runs took: the outcomes of its steps, the arms of its matches, the elements of its selects.

use super::path::Path;
use super::traffic::Traffic;
use crate::flow::*;
use crate::lexer::{Kind, lex};
use aivm_schema::module::StageKind;
use serde::Serialize;

/// An edge, as it is written in the program's own file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The line, from 1.
    pub line: usize,
    /// Where it begins: the key of a step or of a stage.
    pub from: String,
    /// The outcome of the step, or the arm of the match; of a select, the name of what it chose.
    pub outcome: String,
    /// Where it leads; empty: nowhere, as `cancel` does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub to: String,
    /// How often it was taken; none: the runs do not tell.
    pub taken: Option<u32>,
}

/// All edges of the program's own file, in written order, over all these runs.
pub fn coverage(flow: &Flow, paths: &[Path]) -> Vec<Edge> {
    let runs: Vec<Traffic> = paths.iter().map(|path| Traffic::of(flow, path)).collect();
    let mut covered = Covered { flow, runs, edges: Vec::new() };
    for function in flow.functions.iter().filter(|function| function.file == 0) {
        let steps = function.steps.0..function.steps.1;
        // The loop around a model with tools is nothing that anybody wrote.
        if steps.clone().any(|step| flow.step(StepId(step)).stands_in) {
            continue;
        }
        steps.for_each(|step| covered.step(StepId(step)));
        (function.stages.0..function.stages.1).for_each(|stage| covered.stage(StageId(stage)));
    }
    // Within a line: as they were found, which is best first.
    covered.edges.sort_by_key(|edge| edge.line);
    covered.edges
}

struct Covered<'f> {
    flow: &'f Flow,
    runs: Vec<Traffic>,
    edges: Vec<Edge>,
}

impl Covered<'_> {
    fn add(
        &mut self,
        line: usize,
        from: &str,
        outcome: &str,
        to: Option<Dest>,
        count: impl Fn(&Traffic) -> Option<u32>,
    ) {
        let counts: Vec<Option<u32>> = self.runs.iter().map(count).collect();
        let known: u32 = counts.iter().flatten().sum();
        let taken = if known == 0 && counts.contains(&None) { None } else { Some(known) };
        let to = to.map(|dest| self.flow.dest_text(dest)).unwrap_or_default();
        self.edges.push(Edge { line, from: from.to_owned(), outcome: outcome.to_owned(), to, taken });
    }

    fn step(&mut self, id: StepId) {
        let flow = self.flow;
        let step = flow.step(id);
        let key = format!("{}/{}", flow.stage(step.stage).key, step.name);
        let place = flow.places.steps.get(id.index());
        let line = place.map_or(1, |(file, span)| line(flow, *file, span.start as usize));
        for (at, outcome) in step.outcomes.iter().enumerate() {
            if step.outcomes.iter().take(at).any(|before| before == outcome) {
                continue;
            }
            let to = flow.dest(step.stage, step.element, *outcome);
            // Above the first element there is nothing: it cannot be taken.
            if matches!(outcome, Outcome::Back(_)) && to.is_none() {
                continue;
            }
            self.add(line, &key, outcome.word(flow), to, |run| Some(run.outcome(id, at as u32)));
        }
    }

    fn stage(&mut self, id: StageId) {
        let flow = self.flow;
        let stage = flow.stage(id);
        let Some((file, span)) = flow.places.stages.get(id.index()).copied() else { return };
        let start = span.start as usize;
        match stage.kind {
            StageKind::Match => {
                let lines = arms(flow, file, start);
                for (at, arm) in stage.arms.iter().enumerate() {
                    let line = lines.get(at).copied().unwrap_or_else(|| line(flow, file, start));
                    let word = arm.on.word(flow).unwrap_or_default();
                    match &arm.then {
                        Then::Chain(chain) => {
                            let to = flow.chain(*chain).stages.first().map(|first| Dest::Stage(*first));
                            self.add(line, &stage.key, word, to, |run| run.arm(id, at as u32));
                        }
                        Then::Ends(ends) => {
                            for (nth, end) in ends.iter().enumerate() {
                                let said = format!("{word} => {}", end.word(flow));
                                let to = flow.dest(id, at as u32, *end);
                                self.add(line, &stage.key, &said, to, |run| run.end(id, at as u32, nth as u32));
                            }
                        }
                    }
                }
            }
            StageKind::Select => {
                for (at, element) in stage.elements.iter().enumerate() {
                    let chain = |chain| flow.chain(chain).stages.first().copied();
                    let (place, visits): (_, &Entered<'_>) = match *element {
                        Element::Step(step) => {
                            (flow.places.steps.get(step.index()), &move |run| Some(run.visits(step)))
                        }
                        Element::Chain(inner) => match chain(inner) {
                            Some(first) => (flow.places.stages.get(first.index()), &move |run| run.entries(first)),
                            None => continue,
                        },
                    };
                    let line = line(flow, file, place.map_or(start, |(_, span)| span.start as usize));
                    let name = flow.element_name(id, at as u32);
                    self.add(line, &stage.key, &name, Some(Dest::Element(id, at as u32)), visits);
                }
            }
            StageKind::Switch | StageKind::Join => {}
        }
    }
}

/// How often a run came to a place.
type Entered<'f> = dyn Fn(&Traffic) -> Option<u32> + 'f;

fn text(flow: &Flow, file: u16) -> &str {
    flow.places.files.get(usize::from(file)).map_or("", |(_, text)| text)
}

fn line(flow: &Flow, file: u16, at: usize) -> usize {
    let before = text(flow, file).as_bytes().iter().take(at);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// The lines of the arms of a match that begins at this byte: of each `=>` in its own brackets.
fn arms(flow: &Flow, file: u16, start: usize) -> Vec<usize> {
    let (mut depth, mut found) = (0_u32, Vec::new());
    for token in lex(text(flow, file), start as u32) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close if depth <= 1 => break,
            Kind::Close => depth -= 1,
            Kind::Leads if depth == 1 => found.push(line(flow, file, token.span.start as usize)),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Shelf;

    const PROGRAM: &str = "\
out <= (
    switch[s] <= (
        a => next | cancel
        b => send || back
    ) <= match <= (
        fine => out <= switch <= ( c => send )
        sad  => cancel
        default => send
    )
) <= in
";

    fn untaken(runs: &[(&str, &[(&str, &str)])]) -> Vec<String> {
        let flow = crate::compile("p.aivm", PROGRAM, &Shelf { anything: true, ..Shelf::default() }).expect("it").flow;
        let paths: Vec<Path> =
            runs.iter().map(|(ended, calls)| Path::of(&flow, ended, calls.iter().copied())).collect();
        let edges = coverage(&flow, &paths);
        assert!(edges.iter().all(|edge| edge.taken.is_some()), "{edges:?}");
        let open = edges.iter().filter(|edge| edge.taken == Some(0));
        open.map(|edge| format!("{} {} {} {}", edge.line, edge.from, edge.outcome, edge.to)).collect()
    }

    #[test]
    fn what_no_run_took_is_told_with_its_line() {
        let fine = ("sent", &[("s/a#1", "next"), ("s/b#1", "send"), ("match.2/1/switch.1/c#1", "send")][..]);
        let failed = ("cancelled", &[("s/a#1", "cancel")][..]);
        let back = ("sent", &[("s/a#1", "next"), ("s/b#1", "back"), ("s/a#2", "next"), ("s/b#2", "send")][..]);
        let all = ["3 s/a cancel ", "4 s/b back s/a", "7 match.2 sad => cancel ", "8 match.2 default => send out"];
        assert_eq!(untaken(&[fine]), all);
        assert_eq!(untaken(&[fine, failed]), all[1..]);
        assert_eq!(untaken(&[]).len(), 8);
        assert_eq!(untaken(&[failed, back, fine])[..1], ["7 match.2 sad => cancel ".to_owned()]);
    }
}
