//! What makes texts into vectors. Vectors can be compared when one embedder made them: its name says which that was.

use super::{MemoryError, MemorySettings, vectors::Later};
use crate::models::Models;
use std::sync::Arc;

pub mod hash;
#[cfg(feature = "candle")]
mod local;
#[cfg(feature = "models")]
mod provider;

/// So many texts are given to an embedder at once.
const AT_ONCE: usize = 64;

/// What a text is embedded for: some models make other vectors of questions than of what answers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be found.
    Note,
    /// To find.
    Query,
}

/// What makes texts into vectors.
pub trait Embedder: Send + Sync + std::fmt::Debug {
    /// Which it is: another name where its vectors cannot be compared.
    fn name(&self) -> &str;

    /// A vector for each text, all of one length.
    fn embed<'a>(&'a self, texts: &'a [String], purpose: Purpose) -> Later<'a, Vec<Vec<f32>>>;
}

/// The embedder that settings name.
pub(super) fn named(settings: &MemorySettings, models: &Arc<Models>) -> Result<Arc<dyn Embedder>, MemoryError> {
    let name = settings.embedder.as_str();
    if name == "hash" {
        return Ok(Arc::new(hash::Hash));
    }
    if name.starts_with(['.', '/']) {
        return folder(name);
    }
    model(name, models)
}

#[cfg(feature = "candle")]
fn folder(name: &str) -> Result<Arc<dyn Embedder>, MemoryError> {
    Ok(Arc::new(local::Local::at(name)?))
}

#[cfg(not(feature = "candle"))]
fn folder(name: &str) -> Result<Arc<dyn Embedder>, MemoryError> {
    Err(MemoryError::Settings(format!(
        "the embedder `{name}` is a folder, and this program was built without the feature `candle`, which reads one"
    )))
}

#[cfg(feature = "models")]
fn model(name: &str, models: &Arc<Models>) -> Result<Arc<dyn Embedder>, MemoryError> {
    let wrong = |reason: String| {
        MemoryError::Settings(format!("{reason}; an embedder is `hash`, a model or a folder, `./NAME`"))
    };
    let model = models.alias(name);
    crate::models::ModelName::parse(&model).map_err(wrong)?;
    Ok(Arc::new(provider::Provider::new(model, models.clone())))
}

#[cfg(not(feature = "models"))]
fn model(name: &str, _: &Arc<Models>) -> Result<Arc<dyn Embedder>, MemoryError> {
    Err(MemoryError::Settings(format!(
        "the embedder `{name}` is a model, and this program was built without the feature `models`, which asks one"
    )))
}

/// Vectors of length 1 for texts, as an embedder makes them.
pub(super) async fn vectors(
    embedder: &dyn Embedder,
    texts: &[String],
    purpose: Purpose,
) -> Result<Vec<Vec<f32>>, MemoryError> {
    let mut all: Vec<Vec<f32>> = Vec::with_capacity(texts.len());
    for some in texts.chunks(AT_ONCE) {
        let made = embedder.embed(some, purpose).await?;
        if made.len() != some.len() {
            let reason = format!("{} texts got {} vectors", some.len(), made.len());
            return Err(MemoryError::Embedder { embedder: embedder.name().to_owned(), reason });
        }
        for mut vector in made {
            let wrong = |reason: String| MemoryError::Vector { embedder: embedder.name().to_owned(), reason };
            unit(&mut vector).map_err(|reason| wrong(reason.to_owned()))?;
            if let Some(first) = all.first().filter(|first| first.len() != vector.len()) {
                return Err(wrong(format!("one has {} dimensions, another {}", first.len(), vector.len())));
            }
            all.push(vector);
        }
    }
    Ok(all)
}

/// Makes its length 1.
fn unit(vector: &mut [f32]) -> Result<(), &'static str> {
    if vector.is_empty() {
        return Err("it has no dimensions");
    }
    if !vector.iter().all(|value| value.is_finite()) {
        return Err("a value of it is not a number");
    }
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length < 1e-12 {
        return Err("all its values are 0");
    }
    vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    Ok(())
}
