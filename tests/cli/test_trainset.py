import json

from podium.core.hashing import sha256_file
from podium.core.paths import shipped


def test_build_prints_the_facts_and_gives_the_same_bytes_twice(podium, home):
    done = podium("trainset", "build", "tiny-reasoning")
    folder = home / "trainsets/tiny-reasoning"
    assert done.code == 0
    assert f"$ podium trainset build tiny-reasoning\n{done.out}" in (shipped() / "docs/trainsets.md").read_text()
    assert sha256_file(folder / "traces.jsonl") in done.out
    committed = shipped() / "trainsets/tiny-reasoning/manifest.json"
    assert (folder / "manifest.json").read_bytes() == committed.read_bytes()
    assert podium("trainset", "build", "tiny-reasoning", "--out", home / "again").code == 0
    assert (home / "again/traces.jsonl").read_bytes() == (folder / "traces.jsonl").read_bytes()


def test_build_of_an_unknown_recipe(podium, home):
    done = podium("trainset", "build", "nope")
    assert done.code == 2
    assert done.err.startswith("error: trainset recipe 'nope', must be one of tiny-reasoning")
    assert done.err.count("\n") == 1
    assert list(home.iterdir()) == []


def test_import_and_its_refusals(podium, home):
    source = home / "in.jsonl"
    source.write_text(json.dumps({"question": "q", "answer": "a\n#### 1"}) + "\n")
    command = ("trainset", "import", source, "--as", "mine", "--format", "gsm8k")
    done = podium(*command)
    assert (done.code, "traces       1: import:gsm8k 1" in done.out) == (0, True)

    again = podium(*command)
    assert again.code == 2
    assert "trainset 'mine' already exists" in again.err
    assert podium(*command, "--replace").code == 0

    bad_name = podium("trainset", "import", source, "--as", "../x", "--format", "gsm8k")
    assert bad_name.code == 2
    assert "trainset name '../x'" in bad_name.err

    source.write_text('{"question": "q"}\n')
    bad_line = podium("trainset", "import", source, "--as", "other", "--format", "gsm8k")
    assert bad_line.code == 2
    assert f"{source}:1: 'answer' is None" in bad_line.err
    assert bad_line.err.count("\n") == 1
    assert not (home / "trainsets/other").exists()
