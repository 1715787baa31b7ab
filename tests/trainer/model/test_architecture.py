"""Configs of the hub's own models are read as what they are."""

from typing import Any

import numpy as np
import pytest
from transformers import AutoConfig

from podium.core.errors import UsageError
from trainer.model.architecture import Architecture, Rope, architecture_from_hf

SMALL = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
# As google/gemma-3-1b-it wrote it, before transformers 5 renamed the RoPE fields.
GEMMA_3_1B = {
    "model_type": "gemma3_text",
    "vocab_size": 262144,
    "hidden_size": 1152,
    "intermediate_size": 6912,
    "num_hidden_layers": 26,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "max_position_embeddings": 32768,
    "query_pre_attn_scalar": 256,
    "rope_theta": 1000000,
    "rope_local_base_freq": 10000,
    "rope_scaling": None,
    "sliding_window": 512,
    "sliding_window_pattern": 6,
}
LLAMA_3_2_1B = {
    "model_type": "llama",
    "vocab_size": 128256,
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "max_position_embeddings": 131072,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "factor": 32.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-05,
}


def read(**values: Any) -> Architecture:
    return architecture_from_hf(AutoConfig.for_model(**values))


def test_gemma_3_1b() -> None:
    arch = read(**GEMMA_3_1B)
    assert arch.layers == 26
    assert arch.windows[:7] == (512, 512, 512, 512, 512, 0, 512)  # five local layers, then a global one
    assert (arch.global_rope, arch.local_rope) == (Rope(1e6), Rope(1e4))
    assert (arch.unit_offset_norm, arch.qk_norm, arch.post_norms, arch.tied_head) == (True, True, True, True)
    assert (arch.attention_scale, arch.attention_softcap, arch.final_softcap) == (1 / 16, None, None)
    assert arch.embedding_scale == 1152**0.5
    assert arch.activation == "gelu_tanh"


def test_gemma_3_with_vision_is_its_text_part() -> None:
    assert read(model_type="gemma3", text_config=GEMMA_3_1B) == read(**GEMMA_3_1B)


def test_gemma_2_alternates_windows_and_caps_logits() -> None:
    arch = read(model_type="gemma2", **SMALL, head_dim=8, sliding_window=4096)
    assert arch.windows == (4096, 0)
    assert (arch.attention_softcap, arch.final_softcap, arch.qk_norm) == (50.0, 30.0, False)


def test_the_first_gemma_said_gelu_and_meant_tanh() -> None:
    arch = read(model_type="gemma", **SMALL, head_dim=8, hidden_act="gelu", hidden_activation=None)
    assert (arch.activation, arch.post_norms, arch.windows) == ("gelu_tanh", False, (0, 0))


def test_llama_3_2_1b() -> None:
    arch = read(**LLAMA_3_2_1B)
    assert arch.global_rope == Rope(500000.0, "llama3", 32.0, 1.0, 4.0, 8192)
    assert (arch.embedding_scale, arch.qkv_bias, arch.norm_eps, arch.tied_head) == (None, False, 1e-5, True)
    assert arch.attention_scale == 64**-0.5


def test_qwen_2_has_biases_and_qwen_3_norms_instead() -> None:
    second, third = read(model_type="qwen2", **SMALL), read(model_type="qwen3", **SMALL, head_dim=8)
    assert (second.qkv_bias, second.output_bias, second.qk_norm) == (True, False, False)
    assert (third.qkv_bias, third.output_bias, third.qk_norm) == (False, False, True)
    assert (second.head_dim, third.head_dim) == (4, 8)
    assert second.windows == (0, 0)  # use_sliding_window is off whatever sliding_window says


def test_llama3_scaling_keeps_short_wavelengths_and_divides_long_ones() -> None:
    plain = Rope(500000.0).inverse_frequencies(64)
    scaled = Rope(500000.0, "llama3", 32.0, 1.0, 4.0, 8192).inverse_frequencies(64)
    wavelengths = 2 * np.pi / plain
    short, long = wavelengths < 8192 / 4, wavelengths > 8192
    assert np.allclose(scaled[short], plain[short], rtol=1e-6)
    assert np.allclose(scaled[long], plain[long] / 32, rtol=1e-6)
    between = ~short & ~long
    assert between.any()
    assert ((scaled < plain) & (scaled > plain / 32))[between].all()


def test_linear_scaling_divides_all() -> None:
    assert np.allclose(Rope(1e4, "linear", 8.0).inverse_frequencies(16) * 8, Rope(1e4).inverse_frequencies(16))


def test_each_layer_has_the_frequencies_of_its_kind() -> None:
    assert read(**GEMMA_3_1B).ropes[:7] == (Rope(1e4),) * 5 + (Rope(1e6), Rope(1e4))
    frequencies = Rope(1e4).inverse_frequencies(256)
    assert (frequencies.shape, frequencies.dtype, frequencies[0]) == ((128,), np.float32, 1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model_type": "mistral", **SMALL},
            "unknown model_type 'mistral'; known: gemma, gemma2, gemma3_text, llama, qwen2, qwen3, gemma3",
        ),
        (
            {"model_type": "gpt2"},
            "model_type 'gpt2' is not supported; use model.source=tiny if you want a small model",
        ),
        (
            {"model_type": "llama", **SMALL, "hidden_act": "relu"},
            "unknown activation 'relu'; known: silu, gelu, gelu_pytorch_tanh",
        ),
        (
            {"model_type": "qwen2", **SMALL, "rope_scaling": {"rope_type": "yarn", "factor": 4.0}},
            "unknown rope_type 'yarn'; known: default, linear, llama3",
        ),
        (
            {"model_type": "gemma3_text", **SMALL, "head_dim": 8, "use_bidirectional_attention": True},
            "use_bidirectional_attention=true; only causal decoders are supported, choose another model",
        ),
    ],
)
def test_what_the_decoder_lacks_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(**values)
    assert str(caught.value) == message
