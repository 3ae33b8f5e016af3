//! Embeddings of a provider: the model is found, and its key, as one that answers questions.

use super::{Embedder, Later, Purpose};
use crate::memory::MemoryError;
use crate::models::Models;
use std::sync::Arc;

/// A model that embeds.
#[derive(Debug)]
pub(super) struct Provider {
    model: String,
    models: Arc<Models>,
}

impl Provider {
    pub(super) fn new(model: String, models: Arc<Models>) -> Provider {
        Provider { model, models }
    }
}

impl Embedder for Provider {
    fn name(&self) -> &str {
        &self.model
    }

    fn embed<'a>(&'a self, texts: &'a [String], purpose: Purpose) -> Later<'a, Vec<Vec<f32>>> {
        Box::pin(async move {
            let made = self.models.embed(&self.model, texts.to_vec(), purpose == Purpose::Query).await;
            made.map_err(|error| MemoryError::Embedder { embedder: self.model.clone(), reason: error.to_string() })
        })
    }
}
