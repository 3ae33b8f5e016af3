//! The worst case of each step, chooser and undoer over one run, and why something has no bound.

use super::*;

impl Costing<'_> {
    /// Everything that is called, over one whole run: entries multiply outwards, calls of functions too.
    pub(super) fn per_run(&self, total: &Cost) -> (Vec<StepCost>, Vec<NoBound>) {
        let flow = self.flow;
        let mut calls = vec![Bound::ZERO; flow.functions.len()];
        if let Some(program) = calls.first_mut() {
            *program = Bound::AtMost(1);
        }
        let (mut rows, mut unbounded) = (Vec::new(), Vec::new());
        let mut outer: Vec<Bound> = vec![Bound::ZERO; flow.stages.len()];
        for (at, function) in flow.functions.iter().enumerate() {
            let called = calls[at];
            let prefix = if at == 0 { String::new() } else { format!("{}: ", function.name) };
            let row = |key: &str, worker: Target, cost: Cost| {
                let worker = flow.target_name(worker).to_owned();
                StepCost { key: format!("{prefix}{key}"), worker, cost }
            };
            // In written order.
            let mut found: Vec<(u32, StepCost)> = Vec::new();
            for id in (function.stages.0..function.stages.1).map(StageId) {
                let around = flow.stage(id).around.map_or(called, |around| outer[around.index()]);
                let times = around.times(self.entries(id));
                outer[id.index()] = times;
                if let Some(chooser) = flow.stage(id).chooser.filter(|_| times != Bound::ZERO) {
                    let cost = self.choosing(flow.stage(id), chooser).forward.times(times);
                    let chooser = Target::Worker(chooser);
                    let place = flow.places.stages.get(id.index()).map_or(0, |place| place.1.start);
                    let row = row(&flow.stage(id).key, chooser, cost);
                    self.say_why(&row, chooser, None, total, &mut unbounded);
                    found.push((place, row));
                }
            }
            for id in (function.steps.0..function.steps.1).map(StepId) {
                let step = flow.step(id);
                let times = outer[step.stage.index()].times(self.visits(id));
                if times == Bound::ZERO {
                    continue;
                }
                let place = flow.places.steps.get(id.index()).map_or(0, |place| place.1.start);
                let key = format!("{}/{}", flow.stage(step.stage).key, step.name);
                let Attempts { items, of_item, of_visit } = self.attempts(step);
                let made = times.times(items).times(Bound::AtMost(of_item)).times(Bound::AtMost(of_visit));
                if items == Bound::Unbounded && total.is_open() {
                    unbounded.push(self.no_most(format!("{prefix}{key}"), step));
                }
                match step.target {
                    Target::Function(callee) => calls[callee.index()] = calls[callee.index()].plus(made),
                    Target::Worker(_) => {
                        let row = row(&key, step.target, self.visit(step).forward.times(times));
                        self.say_why(&row, step.target, step.deadline_ms, total, &mut unbounded);
                        found.push((place, row));
                    }
                }
                let tries = made.times(UNDO_TRIES);
                match step.undo {
                    Some(Target::Function(callee)) => calls[callee.index()] = calls[callee.index()].plus(tries),
                    Some(undoer @ Target::Worker(_)) => {
                        let row = row(&format!("{key}~undo"), undoer, self.undoing(undoer).times(made));
                        self.say_why(&row, undoer, None, total, &mut unbounded);
                        found.push((place, row));
                    }
                    None => {}
                }
            }
            found.sort_by_key(|(place, _)| *place);
            rows.extend(found.into_iter().map(|(_, row)| row));
        }
        (rows, unbounded)
    }

    fn no_most(&self, key: String, step: &Step) -> NoBound {
        let flow = self.flow;
        let maker = step.refs.first().and_then(|source| match source.of {
            SourceOf::StepOut(maker) if matches!(flow.step(maker).target, Target::Worker(_)) => Some(flow.step(maker)),
            _ => None,
        });
        let of = step.refs.first().map_or(String::new(), |source| format!(" of `{}`", flow.source_text(*source)));
        let help = match maker.filter(|maker| !maker.each) {
            Some(maker) => format!("set `most = 20` in `[worker.{}]`", flow.target_name(maker.target)),
            None => "fan out over the output of a worker that sets `most = 20`".to_owned(),
        };
        NoBound { key, reason: format!("makes a call for each part{of}, and nothing says how many there are"), help }
    }

    /// Why a row has no bound besides the number of its calls.
    fn say_why(
        &self,
        row: &StepCost,
        target: Target,
        deadline_ms: Option<u64>,
        total: &Cost,
        unbounded: &mut Vec<NoBound>,
    ) {
        let Spent { forward, unpriced, .. } = self.call(target, deadline_ms);
        let open = |what: fn(&Cost) -> Bound| what(&row.cost) == Bound::Unbounded && what(total) == Bound::Unbounded;
        let mut say = |reason: &str, help: &str| {
            let reason = format!("calls `{}`, and nothing says {reason}", row.worker);
            let help = format!("set {help} in `[worker.{}]`", row.worker);
            unbounded.push(NoBound { key: row.key.clone(), reason, help });
        };
        match (unpriced.0 && open(|cost| cost.money), unpriced.1 && open(|cost| cost.tokens)) {
            (true, true) => {
                say("what it costs and how many tokens it uses", "`cost = \"$0.10\"` and `tokens = \"4kt\"`")
            }
            (true, false) => say("what it costs", "`cost = \"$0.10\"`"),
            (false, true) => say("how many tokens it uses", "`tokens = \"4kt\"`"),
            (false, false) => {}
        }
        if forward.ms == Bound::Unbounded && open(|cost| cost.ms) {
            say("how long that may take", "`timeout = \"2d\"`");
        }
    }
}
