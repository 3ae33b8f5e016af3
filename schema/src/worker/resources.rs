//! What a call takes of the machine. Who holds to it is the host.

use crate::unit::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one call takes of the machine, which all calls of a process share. What is not set is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Processors, as `2` or `0.5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<f64>", range(min = 0.001, max = 1000.0))]
    pub cpu: Option<Processors>,
    /// Memory, as `512MB`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

/// A number of processors, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Processors(pub u32);

/// Not a number of processors.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{0}` is no number of processors: from 0.001 to 1000")]
pub struct NoProcessors(f64);

impl TryFrom<f64> for Processors {
    type Error = NoProcessors;
    fn try_from(number: f64) -> Result<Processors, NoProcessors> {
        match (0.001..=1000.0).contains(&number) {
            true => Ok(Processors((number * 1000.0).round() as u32)),
            false => Err(NoProcessors(number)),
        }
    }
}

impl From<Processors> for f64 {
    fn from(Processors(thousandths): Processors) -> f64 {
        f64::from(thousandths) / 1000.0
    }
}
