//! What calls may take: reserved in every budget around before a call, settled by what it really took.

use super::Core;
use crate::action::{Limit, Usage};
use crate::error::Fault;
use crate::program::Program;
use crate::slab::{FiberId, ScopeId};
use crate::state::*;
use aivm_schema::module::{RunLimits, WorkerId};

/// Why a call may not be made.
pub(super) enum Refusal {
    /// A limit of the whole run is spent: the run parks.
    Run(Limit),
    /// The budget of this scope does not cover it.
    Scope(ScopeId, Fault),
}

/// One thing that budgets hold: money or tokens.
struct Good {
    of: fn(&mut Scope) -> &mut Option<Budget>,
    price: Option<u64>,
    show: fn(u64) -> String,
}

impl Core {
    /// Promises a worker's declared price to a call of `fiber` and counts the call. A worker whose price is not known needs
    /// something left and is promised nothing.
    pub(super) fn reserve(&mut self, p: &Program, fiber: FiberId, worker: WorkerId) -> Result<Allowance, Refusal> {
        let limits = self.data.account.limits;
        if !p.has_budgets() && limits == RunLimits::default() {
            self.data.account.calls += 1;
            return Ok(Allowance::default());
        }
        let worker = &p.module().workers[worker.index()];
        let start = self.data.fibers[fiber].top().scope;
        let goods = [
            Good { of: |scope| &mut scope.money, price: worker.money, show: dollars },
            Good { of: |scope| &mut scope.tokens, price: worker.tokens, show: |tokens| format!("{tokens} tokens") },
        ];
        let mut left = [None, None];
        for (good, left) in goods.iter().zip(&mut left) {
            *left = self.check_scopes(good, start)?;
        }
        if !self.stands_outside(start) {
            self.check_run(worker.money, worker.tokens, &mut left).map_err(Refusal::Run)?;
        }
        let reserved = Price { money: worker.money.unwrap_or(0), tokens: worker.tokens.unwrap_or(0) };
        self.each_budget(start, |budget, money| {
            let price = if money { reserved.money } else { reserved.tokens };
            budget.reserved = budget.reserved.saturating_add(price);
        });
        let account = &mut self.data.account;
        account.calls += 1;
        account.reserved.money = account.reserved.money.saturating_add(reserved.money);
        account.reserved.tokens = account.reserved.tokens.saturating_add(reserved.tokens);
        // Where a budget holds, a call gets what was promised to it, or all that is left when its price is not known.
        let [money, tokens] = left;
        Ok(Allowance {
            reserved,
            money: money.map(|left| worker.money.unwrap_or(left)),
            tokens: tokens.map(|left| worker.tokens.unwrap_or(left)),
        })
    }

    /// The least that is left of a good in the scopes around.
    fn check_scopes(&mut self, good: &Good, start: ScopeId) -> Result<Option<u64>, Refusal> {
        let mut least = None;
        let mut at = Some(start);
        while let Some(id) = at {
            let scope = &mut self.data.scopes[id];
            if let Some(budget) = (good.of)(scope) {
                let left = budget.left();
                if !covers(left, good.price) {
                    let price = good.price.map_or("anything".to_owned(), good.show);
                    let fault =
                        Fault::BudgetSpent { price, left: (good.show)(left), budget: (good.show)(budget.limit) };
                    return Err(Refusal::Scope(id, fault));
                }
                least = Some(least.map_or(left, |least: u64| least.min(left)));
            }
            at = scope.parent;
        }
        Ok(least)
    }

    fn check_run(&self, money: Option<u64>, tokens: Option<u64>, left: &mut [Option<u64>; 2]) -> Result<(), Limit> {
        let Account { calls, spent, reserved, limits } = self.data.account;
        if limits.calls.is_some_and(|most| calls >= most) {
            return Err(Limit::Calls);
        }
        let [money_left, tokens_left] = left;
        let goods = [
            (limits.money, spent.money, reserved.money, money, Limit::Money, money_left),
            (limits.tokens, spent.tokens, reserved.tokens, tokens, Limit::Tokens, tokens_left),
        ];
        for (limit, spent, reserved, price, name, least) in goods {
            let Some(limit) = limit else { continue };
            let left = Budget { limit, spent, reserved }.left();
            if !covers(left, price) {
                return Err(name);
            }
            *least = Some(least.map_or(left, |least| least.min(left)));
        }
        Ok(())
    }

    /// Is this scope part of taking something back?
    fn stands_outside(&self, start: ScopeId) -> bool {
        let mut at = start;
        while let Some(parent) = self.data.scopes[at].parent {
            at = parent;
        }
        self.data.scopes[at].kind == ScopeKind::Undo
    }

    /// Every budget around; the flag says whether it holds money.
    fn each_budget(&mut self, start: ScopeId, mut f: impl FnMut(&mut Budget, bool)) {
        let mut at = Some(start);
        while let Some(id) = at {
            let scope = &mut self.data.scopes[id];
            scope.money.iter_mut().for_each(|budget| f(budget, true));
            scope.tokens.iter_mut().for_each(|budget| f(budget, false));
            at = scope.parent;
        }
    }

    /// A call has ended: what it really took replaces what was promised to it.
    pub(super) fn settle_usage(&mut self, p: &Program, fiber: FiberId, asked: Asked, reserved: Price, usage: Usage) {
        let account = &mut self.data.account;
        account.spent.money = account.spent.money.saturating_add(usage.money);
        account.spent.tokens = account.spent.tokens.saturating_add(usage.tokens);
        account.reserved.money = account.reserved.money.saturating_sub(reserved.money);
        account.reserved.tokens = account.reserved.tokens.saturating_sub(reserved.tokens);
        if !p.has_budgets() || asked == Asked::Undo {
            return;
        }
        let start = self.data.fibers[fiber].top().scope;
        self.each_budget(start, |budget, money| {
            let (used, promised) = if money { (usage.money, reserved.money) } else { (usage.tokens, reserved.tokens) };
            budget.spent = budget.spent.saturating_add(used);
            budget.reserved = budget.reserved.saturating_sub(promised);
        });
    }
}

fn covers(left: u64, price: Option<u64>) -> bool {
    match price {
        Some(price) => price <= left,
        None => left > 0,
    }
}

/// Millionths of a dollar for people: `$0.25`.
fn dollars(money: u64) -> String {
    let text = format!("${}.{:06}", money / 1_000_000, money % 1_000_000);
    let cents = text.len() - 4;
    let kept = text.trim_end_matches('0').len().max(cents);
    text[..kept].to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn dollars_have_cents() {
        let shown = [0, 500_000, 1_234_560, 1].map(super::dollars);
        assert_eq!(shown, ["$0.00", "$0.50", "$1.23456", "$0.000001"]);
    }
}
