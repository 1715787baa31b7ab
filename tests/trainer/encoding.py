"""The ids of a prompt and of a completion, as the plain template puts them together."""

from trainer.data.tokenizer import Tokenizer


def prompt_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """The text, after BOS if the tokenizer uses one."""
    return [*([] if tokenizer.bos_id is None else [tokenizer.bos_id]), *tokenizer.encode([text])[0]]


def completion_ids(tokenizer: Tokenizer, text: str) -> list[int]:
    """The text and EOS."""
    return [*tokenizer.encode([text])[0], tokenizer.eos_id]
