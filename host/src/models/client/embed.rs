//! Embeddings, by the same client.

use super::{AskError, Models, failure};
use genai::embed::{EmbedOptions, EmbedRequest};

impl Models {
    /// Vectors for texts; `query`: they are what others are looked for by.
    pub async fn embed(&self, model: &str, texts: Vec<String>, query: bool) -> Result<Vec<Vec<f32>>, AskError> {
        let (client, target) = self.aimed(model).await?;
        // Some providers make vectors of two sorts, and others must not be told which.
        let options = match model.split('/').next() {
            Some("cohere") => {
                EmbedOptions::new().with_embedding_type(if query { "search_query" } else { "search_document" })
            }
            Some("gemini") => {
                EmbedOptions::new().with_embedding_type(if query { "RETRIEVAL_QUERY" } else { "RETRIEVAL_DOCUMENT" })
            }
            _ => EmbedOptions::new(),
        };
        let asked = client.exec_embed(target, EmbedRequest::from_texts(texts), Some(&options)).await;
        let mut embeddings = asked.map_err(|error| failure(model, error))?.embeddings;
        embeddings.sort_by_key(|embedding| embedding.index);
        Ok(embeddings.into_iter().map(|embedding| embedding.vector).collect())
    }
}
