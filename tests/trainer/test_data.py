from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace, TraceStep
from trainer.data import batch_indices, load_trainset, tokenize
from trainer.template import completion_text, prompt_text
from trainer.trainsets import write_trainset

BOS, EOS = 1, 2
PINNED = [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]


class Letters:
    """One token a character."""

    def encode_prompt(self, text: str) -> list[int]:
        return [BOS, *text.encode()]

    def encode_completion(self, text: str) -> list[int]:
        return [*text.encode(), EOS]


def trace(prompt: str, answer: str, *steps: str) -> ReasoningTrace:
    listed = tuple(TraceStep(i=i, type="compute", content=content) for i, content in enumerate(steps))
    return ReasoningTrace(prompt=prompt, final_answer=answer, steps=listed)


def test_layout_of_prompt_and_completion() -> None:
    assert prompt_text("1+2=?") == "1+2=?\n"
    assert completion_text(trace("p", "4", "1+2=3", "3+1=4")) == "1+2=3\n3+1=4\n<answer>4</answer>"
    assert completion_text(trace("p", "4")) == "<answer>4</answer>"


def test_a_row_learns_the_completion_and_eos_and_nothing_of_the_prompt() -> None:
    data = tokenize("t", "0", [trace("ab", "c")], Letters(), max_seq_len=40)
    row = {name: rows[0] for name, rows in data.fields.items()}
    prompt, completion = [BOS, *b"ab\n"], [*b"<answer>c</answer>", EOS]
    n = len(prompt) + len(completion) - 1
    assert row["tokens"][:n].tolist() == [*prompt, *completion[:-1]]
    assert row["targets"][:n].tolist() == [*prompt[1:], *completion]
    learned = [target for target, weight in zip(row["targets"], row["weights"], strict=True) if weight]
    assert learned == completion
    assert row["positions"][:n].tolist() == list(range(n))
    assert row["segment_ids"].tolist() == [1] * n + [0] * (40 - n)
    assert not row["weights"][n:].any() and not row["tokens"][n:].any()
    assert {name: rows.dtype for name, rows in data.fields.items()} == {
        **dict.fromkeys(("tokens", "targets", "positions", "segment_ids"), np.int32),
        "weights": np.float32,
    }


def test_an_example_that_just_fits_is_not_counted_as_cut() -> None:
    length = len([BOS, *b"ab\n"]) + len([*b"<answer>c</answer>", EOS]) - 1  # the last token is a target only
    fits = tokenize("t", "0", [trace("ab", "c")], Letters(), max_seq_len=length)
    assert (fits.n_truncated, fits.n_dropped, fits.fields["targets"][0][-1]) == (0, 0, EOS)
    cut = tokenize("t", "0", [trace("ab", "c")], Letters(), max_seq_len=length - 1)
    assert (cut.n_truncated, cut.n_dropped, cut.fields["targets"][0][-1]) == (1, 0, ord(">"))


def test_examples_without_room_for_a_completion_are_left_out_and_counted() -> None:
    data = tokenize("t", "0", [trace("a" * 30, "c"), trace("a", "c"), trace("a", "c" * 30)], Letters(), max_seq_len=24)
    assert (data.n_examples, data.n_truncated, data.n_dropped) == (2, 1, 1)


def test_a_trainset_with_nothing_left_to_learn_is_refused() -> None:
    rule = r"trainset 't': no completion is left of 1 examples with data.max_seq_len=8; raise data.max_seq_len"
    with pytest.raises(UsageError, match=rule):
        tokenize("t", "0", [trace("a" * 30, "c")], Letters(), max_seq_len=8)


def test_a_changed_trainset_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    write_trainset(folder, [trace("a", "b")], name="t", recipe="r", recipe_version="1", seed=None)
    manifest_sha256 = load_trainset(folder, Letters(), 32).sha256
    assert len(manifest_sha256) == 64
    (folder / "traces.jsonl").write_text((folder / "traces.jsonl").read_text().replace('"b"', '"c"'))
    with pytest.raises(UsageError, match=r"traces.jsonl: sha256 is .* the file was changed"):
        load_trainset(folder, Letters(), 32)


def test_every_epoch_sees_every_example_once_in_an_order_of_its_own() -> None:
    epochs = np.concatenate([batch_indices(0, step, 10, 4) for step in range(5)]).reshape(2, 10)
    assert [Counter(epoch.tolist()) for epoch in epochs] == [Counter(range(10))] * 2
    assert epochs[0].tolist() != epochs[1].tolist()
    assert epochs[0].tolist() != np.concatenate([batch_indices(1, step, 10, 4) for step in range(3)])[:10].tolist()


def test_a_step_needs_no_step_before_it_and_never_changes() -> None:
    assert batch_indices(7, 123, 50, 8).tolist() == batch_indices(7, 123, 50, 8).tolist()
    # Written down: another numpy, machine or process must give the same examples, or a resumed run is another run.
    assert batch_indices(0, 0, 10, 10).tolist() == PINNED


def test_a_batch_may_be_larger_than_the_trainset() -> None:
    assert Counter(batch_indices(0, 0, 3, 7).tolist()).total() == 7
    assert set(batch_indices(0, 0, 3, 7).tolist()) == {0, 1, 2}


def test_accumulated_batches_are_the_same_examples_in_the_same_order() -> None:
    data = tokenize("t", "0", [trace(letter, letter) for letter in "abcdefgh"], Letters(), max_seq_len=32)
    whole, split = data.batch(0, 3, 1, 8), data.batch(0, 3, 4, 2)
    assert whole["tokens"].shape == (1, 8, 32) and split["tokens"].shape == (4, 2, 32)
    assert (whole["tokens"].reshape(8, 32) == split["tokens"].reshape(8, 32)).all()
