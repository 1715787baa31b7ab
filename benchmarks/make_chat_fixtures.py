"""Makes the tokenizers beside the chat templates in tests/fixtures/chat: `python -m benchmarks.make_chat_fixtures`.

All share one byte-level vocabulary, which fits the tiny model. They differ in the template, in the special tokens and
in what follows the encoding, as the published tokenizers of the families do.
"""

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from podium.core.files import write_json, write_text

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures" / "chat"
VOCAB_SIZE = 384  # that of trainer/tiny/config.json
GEMMA = ("<pad>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")
LLAMA = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
TEXT = ("<tool_call>", "</tool_call>", "<think>", "</think>")  # added tokens of Qwen that decoding keeps
SENTENCES = (
    "system user assistant model tool You are a helpful assistant. Be brief. Answer in one word.",
    "What is the capital of France? And of Italy? The capital of France is Paris, and that of Italy is Rome.",
    "What is two and two? Two and two is four. The answer is 4, the sum of the two numbers.",
)
# Per folder: BOS (None if texts begin without one), EOS and padding token.
FAMILIES: dict[str, tuple[str | None, str, str]] = {
    "gemma2": ("<bos>", "<eos>", "<pad>"),
    "gemma3": ("<bos>", "<eos>", "<pad>"),
    "llama3": ("<|begin_of_text|>", "<|eot_id|>", "<|eot_id|>"),
    "qwen2.5": (None, "<|im_end|>", "<|endoftext|>"),
    "qwen3": (None, "<|im_end|>", "<|endoftext|>"),
    "chatml": (None, "<|im_end|>", "<|endoftext|>"),
}


def make(family: str) -> None:
    """Write tokenizer.json and tokenizer_config.json beside the template, reproducibly."""
    bos, eos, pad = FAMILIES[family]
    tokenizer = _vocabulary()
    tokenizer.post_processor = _after_encoding(tokenizer, family, bos)
    write_text(FIXTURES / family / "tokenizer.json", tokenizer.to_str(pretty=False) + "\n")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": eos, "pad_token": pad}
    write_json(FIXTURES / family / "tokenizer_config.json", settings)


def _vocabulary() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(TEXT),
        special_tokens=[*GEMMA, *LLAMA, *CHATML],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in TEXT])
    return tokenizer


def _after_encoding(tokenizer: Tokenizer, family: str, bos: str | None) -> Any:
    if bos is None:
        return processors.ByteLevel(trim_offsets=False)
    adds_bos = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    # Llama's leaves white space out of the tokens' offsets.
    return processors.Sequence([processors.ByteLevel(trim_offsets=True), adds_bos]) if family == "llama3" else adds_bos


if __name__ == "__main__":
    for name in FAMILIES:
        make(name)
        print(f"wrote {FIXTURES / name}")
