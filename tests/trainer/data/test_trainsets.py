import json

import pytest

from podium.core.errors import UsageError
from podium.core.formats import choose_format
from podium.core.records import ReasoningTrace
from podium.core.sources import Source
from trainer.data.importers import import_examples
from trainer.data.trainsets import build_trainset, import_trainset, iter_examples, read_manifest, write_trainset


def write(folder, *traces):
    return write_trainset(folder, traces, name="t", recipe="test", recipe_version="1", seed=None)


def files(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_written_is_read_back(tmp_path):
    traces = [
        ReasoningTrace(prompt="a\u2028b", final_answer="é", meta={"category": "x"}),
        ReasoningTrace(prompt="p", final_answer="1"),
    ]
    manifest = write(tmp_path / "t", *traces)
    assert manifest.composition == {"test": 1, "x": 1}
    assert manifest.count == 2
    assert read_manifest(tmp_path / "t") == manifest
    assert list(iter_examples(tmp_path / "t")) == traces


def test_building_twice_gives_the_same_bytes(tmp_path):
    first = build_trainset("tiny-reasoning", tmp_path / "one")
    second = build_trainset("tiny-reasoning", tmp_path / "two")
    assert first == second
    assert first.count == sum(first.composition.values()) == 6000
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert build_trainset("tiny-reasoning", tmp_path / "two", seed=1).sha256 != first.sha256


def test_a_changed_byte_is_found(tmp_path):
    write(tmp_path, ReasoningTrace(prompt="p", final_answer="1"))
    path = tmp_path / "traces.jsonl"
    path.write_text(path.read_text().replace('"p"', '"q"'))
    with pytest.raises(UsageError, match=r"traces.jsonl: sha256 is \w{12}..., the manifest says \w{12}..."):
        read_manifest(tmp_path)


def test_missing_malformed_and_empty(tmp_path):
    with pytest.raises(UsageError, match=r"manifest.json does not exist"):
        read_manifest(tmp_path)
    write(tmp_path)
    with pytest.raises(UsageError, match="holds no examples"):
        list(iter_examples(tmp_path))
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "t"}))
    with pytest.raises(UsageError, match=r"manifest.json: recipe is missing"):
        read_manifest(tmp_path)


def import_file(path, folder, name="mine", format="auto", **options):
    chosen, rows = choose_format(Source(str(path)).rows(), format)
    return import_trainset(import_examples(rows, chosen), chosen.name, folder, name=name, **options)


def test_import_refuses_what_is_there_and_writes_nothing_on_a_bad_line(tmp_path):
    source, folder = tmp_path / "in.jsonl", tmp_path / "mine"
    source.write_text('{"prompt": "p", "final_answer": "r"}\n{"prompt": "p"}\n')
    with pytest.raises(UsageError, match=r"in.jsonl:2: has the fields prompt, and traces needs prompt, final_answer"):
        import_file(source, folder)
    assert not folder.exists()

    source.write_text('{"prompt": "p", "final_answer": "r"}\n')
    manifest = import_file(source, folder)
    assert (manifest.recipe, manifest.seed, manifest.count) == ("import:traces", None, 1)
    before = files(folder)
    with pytest.raises(UsageError, match=r"trainset 'mine' already exists .*; choose another name, or pass --replace"):
        import_file(source, folder)
    source.write_text("broken\n")
    with pytest.raises(UsageError, match="not JSON"):
        import_file(source, folder, format="traces", replace=True)
    assert files(folder) == before
    source.write_text('{"prompt": "p", "final_answer": "other"}\n')
    import_file(source, folder, replace=True)
    assert next(iter_examples(folder)).final_answer == "other"


def test_a_conversation_is_written_without_what_is_not_said(tmp_path):
    (tmp_path / "in.csv").write_text('prompt,response,id\nq,"a\n\n b",7\n')
    import_file(tmp_path / "in.csv", tmp_path / "mine")
    assert json.loads((tmp_path / "mine/traces.jsonl").read_text()) == {
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a\n\n b"}],
        "meta": {"id": "7"},
    }


def test_a_recipes_name_is_not_for_imports(tmp_path):
    with pytest.raises(UsageError, match="trainset name 'tiny-reasoning' is the name of a recipe"):
        import_trainset([], "gsm8k", tmp_path / "x", name="tiny-reasoning")
