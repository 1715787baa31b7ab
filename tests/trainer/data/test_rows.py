from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from podium.core.config import RunConfig
from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import Example, ReasoningTrace, Sample, TraceStep
from tests.trainer.data.chats import conversation
from trainer.data.rows import TokenizedTrainset, answer_rows, encode, in_rows, load_trainset
from trainer.data.template import PlainTemplate
from trainer.data.tokenizer import Tokenizer
from trainer.data.trainsets import write_trainset
from trainer.tiny import make

BOS, EOS = 1, 2


class Letters:
    """One token a character."""

    bos_id, eos_id = BOS, EOS

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(text.encode()) for text in texts]


def trace(prompt: str, answer: str, *steps: str) -> ReasoningTrace:
    listed = tuple(TraceStep(i=i, type="compute", content=content) for i, content in enumerate(steps))
    return ReasoningTrace(prompt=prompt, final_answer=answer, steps=listed)


def tokenize(*traces: Example, max_seq_len: int, **data: object) -> TokenizedTrainset:
    config = DataConfig(max_seq_len=max_seq_len, **data)
    return in_rows(encode("t", "0", traces, PlainTemplate(Letters(), config), config), config)


def test_a_row_learns_the_completion_and_eos_and_nothing_of_the_prompt() -> None:
    data = tokenize(trace("ab", "c"), max_seq_len=40)
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
    fits = tokenize(trace("ab", "c"), max_seq_len=length)
    assert (fits.n_truncated, fits.n_dropped, fits.fields["targets"][0][-1]) == (0, 0, EOS)
    cut = tokenize(trace("ab", "c"), max_seq_len=length - 1)
    assert (cut.n_truncated, cut.n_dropped, cut.fields["targets"][0][-1]) == (1, 0, ord(">"))


def test_examples_without_room_for_a_completion_are_left_out_and_counted() -> None:
    data = tokenize(trace("a" * 30, "c"), trace("a", "c"), trace("a", "c" * 30), max_seq_len=24)
    assert (data.n_examples, data.n_truncated, data.n_dropped) == (2, 1, 1)


def test_a_trainset_with_nothing_left_to_learn_is_refused() -> None:
    rule = r"trainset 't': no completion is left of 1 examples with data.max_seq_len=8; raise data.max_seq_len"
    with pytest.raises(UsageError, match=rule):
        tokenize(trace("a" * 30, "c"), max_seq_len=8)


def test_a_changed_trainset_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "t"
    write_trainset(folder, [trace("a", "b")], name="t", recipe="r", recipe_version="1", seed=None)
    tiny, data = Tokenizer(Path(make.__file__).parent), DataConfig(max_seq_len=32)
    manifest_sha256 = load_trainset(folder, tiny, data).sha256
    assert len(manifest_sha256) == 64
    (folder / "traces.jsonl").write_text((folder / "traces.jsonl").read_text().replace('"b"', '"c"'))
    with pytest.raises(UsageError, match=r"traces.jsonl: sha256 is .* the file was changed"):
        load_trainset(folder, tiny, data)


def test_accumulated_batches_are_the_same_examples_in_the_same_order() -> None:
    data = tokenize(*(trace(letter, letter) for letter in "abcdefgh"), max_seq_len=32)
    whole, split = data.batch(0, 3, 1, 8), data.batch(0, 3, 4, 2)
    assert whole["tokens"].shape == (1, 8, 32) and split["tokens"].shape == (4, 2, 32)
    assert (whole["tokens"].reshape(8, 32) == split["tokens"].reshape(8, 32)).all()


def test_packed_rows_hold_every_example_once_each_in_a_segment_with_positions_of_its_own() -> None:
    traces = [trace("p" * n, "a" * (n % 3 + 1)) for n in range(1, 9)]
    apart, packed = tokenize(*traces, max_seq_len=64), tokenize(*traces, max_seq_len=64, packing=True)
    assert packed.n_examples == apart.n_examples == 8 and packed.n_rows == 4

    def examples(data: TokenizedTrainset) -> list[tuple]:
        found = []
        for number in range(data.n_rows):
            row = {name: rows[number] for name, rows in data.fields.items()}
            for segment in range(1, row["segment_ids"].max() + 1):
                at = row["segment_ids"] == segment
                found.append(tuple(tuple(row[name][at].tolist()) for name in row if name != "segment_ids"))
        return sorted(found)

    assert examples(packed) == examples(apart)
    assert not packed.fields["weights"][packed.fields["segment_ids"] == 0].any()


def test_what_is_cut_is_packed_as_it_was_cut() -> None:
    data = tokenize(trace("a", "c" * 90), trace("a", "c"), max_seq_len=40, packing=True)
    assert (data.n_examples, data.n_rows, data.n_truncated) == (2, 2, 1)
    assert data.fields["segment_ids"][0].tolist() == [1] * 40


def test_a_bucketed_batch_is_as_long_as_its_bucket_and_loses_nothing() -> None:
    traces = [trace("p" * n, "a") for n in (1, 2, 3, 4, 20, 22, 24, 26, 60, 61)]
    whole = tokenize(*traces, max_seq_len=128)
    data = tokenize(*traces, max_seq_len=128, length_buckets=[32, 48])
    assert data.lengths == [32, 48, 128]
    seen, lengths = [], []
    for step in range(5):
        batch = data.batch(0, step, 1, 2)
        assert all(rows.shape[:2] == (1, 2) for rows in batch.values())
        lengths.append(batch["tokens"].shape[2])
        seen += [tuple(row[row > 0].tolist()) for row in batch["tokens"][0]]
    assert sorted(lengths) == [32, 32, 48, 48, 128]
    assert sorted(seen) == sorted(tuple(row[row > 0].tolist()) for row in whole.fields["tokens"])


def test_buckets_that_no_example_needs_are_not_asked_for() -> None:
    data = tokenize(trace("p", "a"), trace("pp", "a"), max_seq_len=128, length_buckets=[32, 48])
    assert data.lengths == [32]
    assert data.batch(0, 5, 1, 4)["tokens"].shape == (1, 4, 32)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"length_buckets": [64], "max_seq_len": 64}, "must ascend from 8 or more to less than data.max_seq_len=64"),
        ({"length_buckets": [32, 16]}, r"data.length_buckets=\[32, 16\], must ascend"),
        ({"length_buckets": [4]}, "must ascend from 8"),
        ({"length_buckets": [32], "packing": True}, r"data.packing=true with data.length_buckets=\[32\]: choose one"),
    ],
)
def test_wrong_buckets_are_refused(changed: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        RunConfig().with_overrides({f"data.{name}": value for name, value in changed.items()})
    assert "\n" not in str(caught.value)


def test_of_a_conversation_every_reply_is_a_target_and_the_rest_is_not() -> None:
    turns = (("user", "ab"), ("assistant", "cd"), ("user", "e"), ("assistant", "f"))
    data = tokenize(conversation(*turns), max_seq_len=40)
    row = {name: rows[0] for name, rows in data.fields.items()}
    ids = [BOS, *b"ab\n", *b"cd", EOS, *b"e\n", *b"f", EOS]
    n = len(ids) - 1
    assert row["tokens"][:n].tolist() == ids[:-1] and row["targets"][:n].tolist() == ids[1:]
    weights = [0, 0, 0, 1, 1, 1, 0, 0, 1, 1]
    assert row["weights"].tolist() == [*weights, *[0] * (40 - n)]
    assert (data.layout, data.n_truncated, data.n_dropped) == ("text", 0, 0)


def test_a_cut_after_all_that_is_learned_is_none() -> None:
    turns = (("user", "a"), ("assistant", "b"), ("user", "c" * 60))
    data = tokenize(conversation(*turns), max_seq_len=40)
    assert (data.n_examples, data.n_truncated) == (1, 0)
    unlearned = conversation(("user", "a"), ("assistant", "b" * 60), ("user", "c"), ("assistant", "d"))
    early = tokenize(unlearned, conversation(*turns), max_seq_len=40, loss_on="last")
    assert (early.n_examples, early.n_dropped) == (1, 1)


def test_traces_and_conversations_stand_in_one_trainset_and_a_bad_line_is_named() -> None:
    both = tokenize(trace("a", "b"), conversation(("user", "a"), ("assistant", "b")), max_seq_len=40)
    assert both.layout == "mixed"
    learned = [
        row[weights > 0].tolist() for row, weights in zip(both.fields["targets"], both.fields["weights"], strict=True)
    ]
    assert learned == [[*b"<answer>b</answer>", EOS], [*b"b", EOS]]
    tools = conversation(("user", "a"), ("assistant", "b"), tools=({"function": {"name": "f"}},))
    with pytest.raises(UsageError, match="trainset 't', line 302: the plain template has no form for tools"):
        tokenize(*[trace("a", "b")] * 301, tools, max_seq_len=40)


def test_the_expected_answer_is_written_as_the_answers_of_the_trainset() -> None:
    tiny, config = Tokenizer(Path(make.__file__).parent), DataConfig(max_seq_len=40)
    template = PlainTemplate(tiny, config)
    facts = {"expected_answer": "5", "section": "core", "category": "sum", "difficulty": "easy"}
    turns = (("user", "1+1=?"), ("assistant", "2"), ("user", "2+3=?"))
    items = [
        Sample(id="a", prompt="2+3=?", **facts),
        Sample(id="b", messages=conversation(*turns).messages, **facts),
    ]

    def expected(*examples: Example) -> list[str]:
        trained = in_rows(encode("t", "0", examples, template, config), config)
        rows = answer_rows(items, tiny, config, trained)
        assert rows is not None
        return [
            tiny.decode(row[weights > 0].tolist())
            for row, weights in zip(rows["targets"], rows["weights"], strict=True)
        ]

    assert expected(trace("a", "b")) == ["<answer>5</answer>"] * 2
    assert expected(conversation(*turns[:2])) == ["5", "5"]  # the earlier reply of the item is not counted
