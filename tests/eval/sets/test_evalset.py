import pytest

from eval.sets.evalset import (
    assert_disjoint,
    duplicate_prompts,
    load_evalset,
    overlapping_ids,
    split_of,
    write_evalset,
)
from podium.core.errors import UsageError
from podium.core.files import write_jsonl
from podium.core.hashing import sha256_file
from podium.core.paths import shipped


def trainset(folder, *prompts):
    write_jsonl(folder / "traces.jsonl", [{"prompt": prompt, "final_answer": "1"} for prompt in prompts])
    return folder


def test_load_by_name_and_by_path():
    by_name = load_evalset("tiny_v1")
    path = shipped() / "evalsets/tiny_v1.jsonl"
    assert by_name == load_evalset(path)
    assert (by_name.name, by_name.path, by_name.sha256) == ("tiny_v1", path, sha256_file(path))


def test_splits_are_a_partition_by_id_alone():
    evalset = load_evalset("tiny_v1")
    dev, holdout = evalset.split("dev"), evalset.split("holdout")
    assert evalset.split("all") == evalset.samples
    assert 0.4 < len(dev) / len(evalset.samples) < 0.6
    ids = {sample.id for sample in dev}
    assert [sample for sample in evalset.samples if sample.id in ids] == list(dev)  # file order
    assert [sample for sample in evalset.samples if sample.id not in ids] == list(holdout)
    assert evalset.split("dev", 3) == dev[:3]


def test_the_split_of_an_id_never_changes():
    # Locks and old scorecards rely on these.
    assert [split_of(name) for name in ("a", "b", "c", "d", "sum-001", "sum-002")] == [
        "holdout",
        "dev",
        "dev",
        "holdout",
        "holdout",
        "holdout",
    ]


def test_unknown_and_empty_splits(evalset_file):
    evalset = load_evalset(evalset_file({"id": "a"}))
    other = {"dev": "holdout", "holdout": "dev"}[split_of("a")]
    with pytest.raises(UsageError, match="split 'test', must be one of dev, holdout, all"):
        evalset.split("test")
    with pytest.raises(UsageError, match=f"evalset 'set' has no items in split {other}"):
        evalset.split(other)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"id": "a"}, "id 'a' is already on line 1; ids must be unique"),
        ({"id": "b", "expected_answer": None}, "expected_answer is missing; add it"),
        ({"id": "b", "expected_answer": ""}, "expected_answer=''"),
        ({"id": "b", "difficulty": "tricky"}, "difficulty='tricky'"),
        ({"id": "b", "section": None}, "section is missing"),
        ({"id": "b", "answer": "1"}, "unknown key 'answer'"),
        ({"id": 3, "prompt": "p"}, "id=3"),
    ],
)
def test_a_bad_line_is_named(evalset_file, row, reason):
    path = evalset_file({"id": "a"}, row)
    with pytest.raises(UsageError) as raised:
        load_evalset(path)
    assert str(raised.value).startswith(f"{path}:2: {reason}")


def test_missing_corrupt_and_empty_files(tmp_path):
    with pytest.raises(UsageError, match="evalset 'nope' not found"):
        load_evalset("nope")
    path = tmp_path / "set.jsonl"
    path.write_text("{broken\n")
    with pytest.raises(UsageError, match=r"set.jsonl:1: not JSON"):
        load_evalset(path)
    path.write_text("")
    with pytest.raises(UsageError, match="holds no items"):
        load_evalset(path)


def test_duplicates_and_overlap(evalset_file, tmp_path):
    evalset = load_evalset(
        evalset_file(
            {"id": "a", "prompt": "What is  1+1?"},
            {"id": "b", "prompt": "what IS 1+1? "},
            {"id": "c", "prompt": "2+2"},
        )
    )
    folder = trainset(tmp_path, "other", "What is\n1+1?")
    assert duplicate_prompts(evalset) == [("b", "a")]
    assert overlapping_ids(evalset.samples, folder) == ("a", "b")
    with pytest.raises(UsageError, match=r"evalset 'set' and trainset '.*' share 2 prompts \(a, b\); remove them"):
        assert_disjoint(evalset, folder)


def test_a_clean_set(evalset_file, tmp_path):
    evalset = load_evalset(evalset_file({"id": "a"}, {"id": "b"}))
    folder = trainset(tmp_path, "c")
    assert duplicate_prompts(evalset) == []
    assert overlapping_ids(evalset.samples, folder) == ()
    assert_disjoint(evalset, folder)


def test_a_written_set_is_read_back_and_not_overwritten(sample, tmp_path):
    path = tmp_path / "mine.jsonl"
    samples = (sample("a", accepted=("x", "y")), sample("b"))
    assert write_evalset(path, samples).samples == samples
    with pytest.raises(UsageError, match=r"evalset 'mine' already exists .*; choose another name, or pass --replace"):
        write_evalset(path, samples[:1])
    assert write_evalset(path, samples[:1], replace=True).samples == samples[:1]


def test_a_header_names_the_scorer(sample, tmp_path):
    path = tmp_path / "mine.jsonl"
    evalset = write_evalset(path, [sample("a")], scorer="numeric:0.01")
    assert path.read_text().split("\n")[0] == '{"evalset_version": "1", "scorer": "numeric:0.01"}'
    assert (evalset.scorer, len(evalset.samples)) == ("numeric:0.01", 1)
    assert (evalset.chosen_scorer(None), evalset.chosen_scorer("exact")) == ("numeric:0.01", "exact")
    assert write_evalset(tmp_path / "plain.jsonl", [sample("a")]).scorer == "answer"
    assert (tmp_path / "plain.jsonl").read_text().startswith('{"id": "a"')


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ('{"evalset_version": "1", "scorer": "x"}', "scorer 'x', must be one of answer"),
        ('{"evalset_version": "1"}', "scorer is missing; add it"),
        ('{"evalset_version": "2", "scorer": "answer"}', "evalset_version='2'"),
        ('{"evalset_version": "1", "scorer": "answer", "split": 1}', "unknown key 'split'"),
    ],
)
def test_a_bad_header_is_named(evalset_file, header, reason):
    path = evalset_file({"id": "a"})
    path.write_text(f"{header}\n{path.read_text()}")
    with pytest.raises(UsageError) as raised:
        load_evalset(path)
    assert str(raised.value).startswith(f"{path}:1: {reason}")


def test_a_header_anywhere_else_is_no_item(evalset_file):
    path = evalset_file({"id": "a"})
    path.write_text(path.read_text() + '{"evalset_version": "1", "scorer": "answer"}\n')
    with pytest.raises(UsageError, match=r"set.jsonl:2: unknown key 'evalset_version'"):
        load_evalset(path)


def test_a_set_that_its_scorer_cannot_judge_is_not_written(sample, tmp_path):
    with pytest.raises(UsageError, match="item 'a': the answer is 'x', must be a number"):
        write_evalset(tmp_path / "mine.jsonl", [sample("a", expected_answer="x")], scorer="numeric")
    assert not (tmp_path / "mine.jsonl").exists()


def test_a_group_is_not_divided(evalset_file):
    rows = [{"id": f"i{number}", "meta": {"group": f"g{number // 4}"}} for number in range(80)]
    evalset = load_evalset(evalset_file(*rows))
    groups = [{sample.meta["group"] for sample in evalset.split(split)} for split in ("dev", "holdout")]
    assert not groups[0] & groups[1] and len(groups[0] | groups[1]) == 20
    assert all(len(evalset.split(split)) % 4 == 0 for split in ("dev", "holdout"))
