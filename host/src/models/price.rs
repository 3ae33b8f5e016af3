//! What models cost: a table of what is known, which settings go before.

use super::Used;
use aivm_schema::unit::Money;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What a million tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Of the question.
    pub input: Money,
    /// Of the answer.
    pub output: Money,
}

impl Price {
    /// What this used costs, in millionths of a dollar, rounded up.
    pub fn of(self, used: Used) -> Money {
        let part = |tokens: u64, price: Money| u128::from(tokens) * u128::from(price.0);
        let whole = part(used.input, self.input) + part(used.output, self.output);
        Money(u64::try_from(whole.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

/// Prices by `provider/model`; a `*` at the end stands for any rest.
#[derive(Clone, Debug, Default)]
pub struct Prices(BTreeMap<String, Price>);

impl Prices {
    /// List prices of some providers, as they were in November 2025.
    pub fn known() -> Prices {
        Prices(toml::from_str(include_str!("prices.toml")).unwrap_or_default())
    }

    /// With these before.
    pub fn with(mut self, more: BTreeMap<String, Price>) -> Prices {
        self.0.extend(more);
        self
    }

    /// The price of a model: that of its own name, else of the longest name with `*` that fits.
    pub fn of(&self, model: &str) -> Option<Price> {
        let fits = |name: &str| name.strip_suffix('*').is_some_and(|start| model.starts_with(start));
        let own = self.0.get(model);
        let of_all = || self.0.iter().filter(|(name, _)| fits(name)).max_by_key(|(name, _)| name.len());
        own.or_else(|| of_all().map(|(_, price)| price)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_found_by_its_name_or_its_longest_beginning() {
        let known = Prices::known();
        assert!(known.0.len() > 10, "the table can be read");
        let price = |input, output| Price { input: Money(input), output: Money(output) };
        let own = [("a/*".to_owned(), price(1, 1)), ("a/b*".to_owned(), price(2, 2)), ("a/bc".to_owned(), price(3, 3))];
        let prices = known.with(own.into());
        assert_eq!(prices.of("a/x"), Some(price(1, 1)));
        assert_eq!(prices.of("a/bd"), Some(price(2, 2)));
        assert_eq!(prices.of("a/bc"), Some(price(3, 3)));
        assert_eq!(prices.of("z/z"), None);
        assert_eq!(price(3_000_000, 15_000_000).of(Used { input: 1_000, output: 100 }), Money(4_500));
        assert_eq!(price(1, 0).of(Used { input: 1, output: 0 }), Money(1), "never less than it costs");
    }
}
