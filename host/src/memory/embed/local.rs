//! A model in a folder: the files of a sentence transformer of BERT's kind, `config.json`, `tokenizer.json` and
//! `model.safetensors`. A text's vector is the mean of those of its tokens; what is longer than the model reads is cut.

use super::{Embedder, Later, Purpose};
use crate::memory::MemoryError;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use std::path::Path;
use std::sync::Arc;
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

/// So many texts go through the model at once.
const AT_ONCE: usize = 8;

/// What a sentence transformer reads where nothing is said of it, in tokens.
const READS: usize = 256;

/// A model in a folder.
pub(super) struct Local {
    name: String,
    model: Arc<Model>,
}

struct Model {
    bert: BertModel,
    tokenizer: Tokenizer,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Local {
    /// The model in this folder, loaded.
    pub(super) fn at(folder: &str) -> Result<Local, MemoryError> {
        let wrong = |reason: String| MemoryError::Embedder { embedder: folder.to_owned(), reason };
        let path = Path::new(folder);
        let read = |name: &str| {
            std::fs::read(path.join(name)).map_err(|error| wrong(format!("{}: {error}", path.join(name).display())))
        };
        let config: Config =
            serde_json::from_slice(&read("config.json")?).map_err(|error| wrong(format!("config.json: {error}")))?;
        let mut tokenizer = Tokenizer::from_bytes(read("tokenizer.json")?)
            .map_err(|error| wrong(format!("tokenizer.json: {error}")))?;
        let said = read("sentence_bert_config.json").ok().and_then(|bytes| {
            let said: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
            usize::try_from(said.get("max_seq_length")?.as_u64()?).ok()
        });
        let most = said.unwrap_or(READS).min(config.max_position_embeddings);
        let cut = TruncationParams { max_length: most, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(|error| wrong(format!("tokenizer.json: {error}")))?;
        tokenizer.with_padding(Some(PaddingParams::default()));
        let weights = read("model.safetensors")?;
        // Whatever the folder is called: other weights are another embedder.
        let digest = blake3::hash(&weights).to_hex();
        let name = path.file_name().map_or_else(|| folder.to_owned(), |name| name.to_string_lossy().into_owned());
        let name = format!("{name}-{}", digest.get(..16).unwrap_or_default());
        let load = || {
            let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
            BertModel::load(weights, &config)
        };
        let bert = load().map_err(|error| wrong(format!("model.safetensors: {error}")))?;
        Ok(Local { name, model: Arc::new(Model { bert, tokenizer }) })
    }
}

impl Model {
    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, String> {
        let tokens = self.tokenizer.encode_batch(texts.to_vec(), true).map_err(|error| error.to_string())?;
        self.mean(&tokens).map_err(|error| error.to_string())
    }

    fn mean(&self, tokens: &[tokenizers::Encoding]) -> candle_core::Result<Vec<Vec<f32>>> {
        let device = &Device::Cpu;
        let rows = |of: fn(&tokenizers::Encoding) -> &[u32]| {
            let rows = tokens.iter().map(|tokens| Tensor::new(of(tokens), device)).collect::<Result<Vec<_>, _>>()?;
            Tensor::stack(&rows, 0)
        };
        let (ids, types) = (rows(|tokens| tokens.get_ids())?, rows(|tokens| tokens.get_type_ids())?);
        let mask = rows(|tokens| tokens.get_attention_mask())?;
        let states = self.bert.forward(&ids, &types, Some(&mask))?;
        // Padding says nothing.
        let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let sums = states.broadcast_mul(&mask)?.sum(1)?;
        sums.broadcast_div(&mask.sum(1)?)?.to_vec2()
    }
}

impl Embedder for Local {
    fn name(&self) -> &str {
        &self.name
    }

    fn embed<'a>(&'a self, texts: &'a [String], _: Purpose) -> Later<'a, Vec<Vec<f32>>> {
        Box::pin(async move {
            let mut vectors = Vec::with_capacity(texts.len());
            for some in texts.chunks(AT_ONCE) {
                let made = self.model.embed(some);
                vectors.extend(made.map_err(|reason| MemoryError::Embedder { embedder: self.name.clone(), reason })?);
            }
            Ok(vectors)
        })
    }
}
