"""A model with random weights: llama architecture, 2 layers of 64, a vocabulary of bytes."""
import sys
import numpy
from gguf import GGUFWriter, TokenType

layers, width, heads, hidden, context = 2, 64, 4, 128, 4096
dice = numpy.random.default_rng(7)
tokens = [b"<unk>", b"<s>", b"</s>"] + [f"<0x{byte:02X}>".encode() for byte in range(256)]
kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL] + [TokenType.BYTE] * 256
out = GGUFWriter(sys.argv[1], "llama")
out.add_name("tiny")
out.add_context_length(context)
out.add_embedding_length(width)
out.add_block_count(layers)
out.add_feed_forward_length(hidden)
out.add_head_count(heads)
out.add_head_count_kv(heads)
out.add_layer_norm_rms_eps(1e-5)
out.add_rope_dimension_count(width // heads)
out.add_vocab_size(len(tokens))
out.add_tokenizer_model("llama")
out.add_token_list(tokens)
out.add_token_scores([0.0] * len(tokens))
out.add_token_types(kinds)
out.add_bos_token_id(1)
out.add_eos_token_id(2)
out.add_unk_token_id(0)
out.add_chat_template("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:")

def weights(name, *shape):
    out.add_tensor(name, (dice.standard_normal(shape) * 0.05).astype(numpy.float32))

def ones(name):
    out.add_tensor(name, numpy.ones(width, dtype=numpy.float32))

weights("token_embd.weight", len(tokens), width)
ones("output_norm.weight")
weights("output.weight", len(tokens), width)
for layer in range(layers):
    for norm in ("attn_norm", "ffn_norm"):
        ones(f"blk.{layer}.{norm}.weight")
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        weights(f"blk.{layer}.{part}.weight", width, width)
    for part in ("ffn_gate", "ffn_up"):
        weights(f"blk.{layer}.{part}.weight", hidden, width)
    weights(f"blk.{layer}.ffn_down.weight", width, hidden)
out.write_header_to_file()
out.write_kv_data_to_file()
out.write_tensors_to_file()
out.close()
