"""Makes the checkpoints and PyTorch logits for the parity tests: `python benchmarks/make_parity_fixtures.py`.

The default install has no PyTorch, so this script runs in a separate environment with torch, transformers (the version
in requirements.txt), numpy and safetensors. It imports nothing from Podium. Each family gets a folder below
tests/fixtures/models with a tiny random checkpoint and parity.safetensors: right- and left-padded tokens, longer than
the sliding window, and their logits in float32. If PODIUM_REALDATA is set, the script also stores logits of its
stories15m folder.
"""

import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures" / "models"
LENGTHS = (20, 13)  # tokens of the two rows
WINDOW = 6
SENTENCES = (
    "Once upon a time, there was a little girl named Lily.",
    "The dog ran to the big tree and 42 birds flew away",
)

SIZES = {
    "vocab_size": 128,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
}
SLIDING = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]}
QWEN_SLIDING = {"sliding_window": WINDOW, "use_sliding_window": True, "max_window_layers": 1}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
# Per folder: what its config.json adds to SIZES, and the dtype its weights are stored in.
FAMILIES: dict[str, tuple[dict[str, Any], torch.dtype]] = {
    "gemma": ({"model_type": "gemma", "num_key_value_heads": 1, "hidden_act": "gelu"}, torch.bfloat16),
    "gemma2": (
        {
            "model_type": "gemma2",
            **SLIDING,
            "query_pre_attn_scalar": 12,
            "attn_logit_softcapping": 2.0,  # low, so that it changes the logits
            "final_logit_softcapping": 3.0,
        },
        torch.bfloat16,
    ),
    "gemma3_text": (
        {
            "model_type": "gemma3_text",
            **SLIDING,
            "query_pre_attn_scalar": 12,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        },
        torch.bfloat16,
    ),
    "llama": (
        {
            "model_type": "llama",
            "tie_word_embeddings": True,
            "rope_parameters": {**LLAMA3, "rope_theta": 500000.0, "original_max_position_embeddings": 16},
        },
        torch.float16,
    ),
    "llama_untied": (
        {
            "model_type": "llama",
            "tie_word_embeddings": False,
            "attention_bias": True,
            "mlp_bias": True,
            "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0},
        },
        torch.float32,
    ),
    "qwen2": ({"model_type": "qwen2", **QWEN_SLIDING, "tie_word_embeddings": False}, torch.bfloat16),
    "qwen3": ({"model_type": "qwen3", **QWEN_SLIDING, "tie_word_embeddings": True}, torch.bfloat16),
}


def main() -> None:
    torch.manual_seed(0)
    for name, (settings, dtype) in FAMILIES.items():
        make_family(FIXTURES / name, {**SIZES, **settings}, dtype)
    real = os.environ.get("PODIUM_REALDATA")
    if real:
        make_stories(Path(real) / "stories15m")


def make_family(folder: Path, settings: dict[str, Any], dtype: torch.dtype) -> None:
    config = AutoConfig.for_model(**settings)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():
        for parameter in model.parameters():  # norms and biases too: their initial 0 or 1 would hide mistakes
            parameter.copy_(parameter + 0.2 * torch.randn_like(parameter))
    model.to(dtype).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    # Load in float32: the logits must be those of the stored, rounded weights.
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tensors = {}
    rows = [torch.randint(3, settings["vocab_size"], (length,)) for length in LENGTHS]
    for side in ("right", "left"):
        tokens, mask = padded(rows, side)
        tensors |= {
            f"{side}_tokens": tokens.int(),
            f"{side}_mask": mask.int(),
            f"{side}_logits": logits(model, tokens, mask),
        }
    save_file(tensors, folder / "parity.safetensors")
    print(folder.name, f"{sum(file.stat().st_size for file in folder.iterdir()) / 1e3:.0f} kB", describe(tensors))


def padded(rows: list[torch.Tensor], side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows, padded on `side`, and their mask; both are (rows, longest)."""
    longest = max(len(row) for row in rows)
    tokens, mask = torch.zeros(2, len(rows), longest, dtype=torch.long)
    for i, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(longest - len(row), longest)
        tokens[i, place], mask[i, place] = row, 1
    return tokens, mask


def logits(model: torch.nn.Module, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The logits in float32, (rows, seq, vocab)."""
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        return model(input_ids=tokens, attention_mask=mask, position_ids=positions, use_cache=False).logits.contiguous()


def make_stories(source: Path) -> None:
    """Store every 200th logit of each position, the log-sum-exp of all logits, and the most likely token."""
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(source)
    tokens, mask = padded([torch.tensor(tokenizer(text).input_ids) for text in SENTENCES], "right")
    scores = logits(model, tokens, mask)
    tensors = {
        "tokens": tokens.int(),
        "mask": mask.int(),
        "some_logits": scores[..., ::200].contiguous(),
        "logsumexp": scores.logsumexp(-1),
        "likeliest": scores.argmax(-1).int(),
    }
    save_file(tensors, FIXTURES / "stories15m.safetensors")
    print("stories15m", describe(tensors))


def describe(tensors: dict[str, torch.Tensor]) -> str:
    return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items())


if __name__ == "__main__":
    main()
