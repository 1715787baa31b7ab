"""An example of a trainset token by token, to see what a run learns of it."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from trainer.data.sequences import BadExample
from trainer.data.template import choose_template
from trainer.data.tokenizer import Tokenizer
from trainer.data.trainsets import iter_examples


def show_example(folder: Path, line: int, tokenizer: Tokenizer, data: DataConfig) -> Iterator[str]:
    """A heading, and a line for each token of the example in `line` of traces.jsonl, from 1.

    Raises:
        UsageError: as `load_trainset` does, or there is no such line.
    """
    example = next(islice(iter_examples(folder), line - 1, None), None)
    if example is None:
        raise UsageError(f"trainset {folder.name!r} has fewer than {line} examples; choose an earlier line")
    template = choose_template(tokenizer, data)
    try:
        (sequence,) = template.sequences([example])
    except BadExample as error:
        raise UsageError(f"trainset {folder.name!r}, line {line}: {error}") from error
    # The last token is only a target. What is auto holds the whole example.
    kept = len(sequence.ids) if data.max_seq_len == "auto" else data.max_seq_len + 1
    cut = f"; cut after {kept}, by data.max_seq_len={data.max_seq_len}" if len(sequence.ids) > kept else ""
    learned = sequence.learned[:kept].sum()
    about = f"{len(sequence.ids)} tokens, {learned} learned (+){cut}"
    yield f"{folder.name}, line {line}, template {template.name}: {about}"
    yield from (f"note: {note}" for note in template.notes)
    for place, (token, is_learned) in enumerate(zip(sequence.ids[:kept].tolist(), sequence.learned, strict=False)):
        text = json.dumps(tokenizer.decode([token], special=True), ensure_ascii=False)
        yield f"{'+' if is_learned else ' '} {place:4} {token:7} {text}"
