import json

import pytest

from podium.core.paths import shipped

ROW = {"prompt": "1+1", "expected_answer": "2", "section": "core", "category": "sum", "difficulty": "easy"}


@pytest.fixture
def write(home):
    def make(*rows, name="set.jsonl"):
        path = home / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return make


def test_build_rewrites_the_shipped_file_byte_for_byte(podium, home):
    done = podium("evalset", "build", "tiny_v1")
    assert done.code == 0
    assert (home / "evalsets/tiny_v1.jsonl").read_bytes() == (shipped() / "evalsets/tiny_v1.jsonl").read_bytes()
    assert podium("evalset", "build", "tiny_v1").code == 0  # again, over the same file


def test_build_of_an_unknown_recipe(podium, home):
    done = podium("evalset", "build", "nope")
    assert done.code == 2
    assert done.err.startswith("error: evalset recipe 'nope', must be one of tiny_v1")
    assert not (home / "evalsets").exists()


def test_check_of_the_shipped_set_against_its_trainset(podium):
    podium("trainset", "build", "tiny-reasoning")
    done = podium("evalset", "check", "tiny_v1", "--trainset", "tiny-reasoning")
    assert done.code == 0
    assert "items        480: dev 246, holdout 234" in done.out
    assert ["core", "48", "96", "72", "216"] in [line.split() for line in done.out.splitlines()]
    assert "duplicates   0" in done.out
    assert "overlap      0 with trainset tiny-reasoning" in done.out
    assert "near         0 with trainset tiny-reasoning" in done.out
    assert "scorer       answer" in done.out


def test_check_names_overlapping_items_and_exits_1(podium, write):
    path = write({"id": "a", **ROW}, {"id": "b", **ROW, "prompt": "2+2"})
    traces = write({"prompt": " 2+2 ", "response": "4"}, name="traces.jsonl")
    podium("trainset", "import", traces, "--as", "mine", "--format", "prompt-response")
    done = podium("evalset", "check", path, "--trainset", "mine")
    assert done.code == 1
    assert "error: set: prompts that are also in trainset 'mine': b; remove them from one of the two" in done.err
    assert "overlap      1" in done.out


def test_check_reports_near_duplicates_of_several_trainsets(podium, write):
    prompt = "Max bought stamps at the post office, 16 in all, and lost 3 of them. How many has he now?"
    path = write({"id": "a", **ROW, "prompt": prompt}, {"id": "b", **ROW})
    for name, text in (("far", "x"), ("close", prompt.replace("Max", "Bella"))):
        traces = write({"prompt": text, "response": "4"}, name="traces.jsonl")
        podium("trainset", "import", traces, "--as", name, "--format", "prompt-response")
    done = podium("evalset", "check", path, "--trainset", "far", "--trainset", "close")
    assert (done.code, done.err) == (0, "")
    assert "near         0 with trainset far\n" in done.out
    assert "near         1 with trainset close: a = line 1, 94%\n" in done.out


def test_check_of_answers_that_the_scorer_cannot_judge(podium, write):
    path = write({"evalset_version": "1", "scorer": "choice"}, {"id": "a", **ROW})
    done = podium("evalset", "check", path)
    assert done.code == 2
    assert done.err == "error: item 'a': expected_answer '2', must be a letter A to E\n"


def test_check_names_duplicate_prompts(podium, write):
    done = podium("evalset", "check", write({"id": "a", **ROW}, {"id": "b", **ROW}))
    assert done.code == 1
    assert "items with the same prompt: b = a; remove one of each pair" in done.err


def test_check_of_wrong_input_is_wrong_usage(podium, write):
    path = write({"id": "a", **ROW}, {"id": "a", **ROW})
    done = podium("evalset", "check", path)
    assert (done.code, done.err) == (2, f"error: {path}:2: id 'a' is already on line 1; ids must be unique\n")
    missing = podium("evalset", "check", "tiny_v1", "--trainset", "nope")
    assert missing.code == 2
    assert "trainset 'nope' not found" in missing.err


def test_import_of_arc_and_of_multiple_choice(podium, home, write):
    pairs = {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[3]]}]}
    (home / "c.json").write_text(json.dumps({"one": pairs}))
    (home / "s.json").write_text(json.dumps({"one": [[[5]]]}))
    command = ("evalset", "import", "c.json", "--format", "arc", "--as", "arc")
    done = podium(*command, "--solutions", "s.json", "--scorer", "arc_program")
    assert done.code == 0, done.err
    assert "scorer       arc_program\n" in done.out
    assert "evalset check" not in done.out and podium("evalset", "check", "arc").code == 0
    refused = podium(*command, "--replace")
    assert refused.code == 2
    assert refused.err == (
        "error: task one has no solution, and an evalset needs answers; give --solutions FILE, "
        "or answer the challenges as they are: `podium predict --challenges FILE`\n"
    )
    rows = write({"question": "q", "choices": ["x", "y"], "answer": 0})
    assert "scorer       choice\n" in podium("evalset", "import", rows, "--format", "multiple-choice", "--as", "mc").out


def test_import_and_its_refusals(podium, home, write):
    source = write({"question": "q", "answer": "w\n#### 5"}, {"question": "r", "answer": "w\n#### 6"}, name="in.jsonl")
    command = ("evalset", "import", source, "--format", "gsm8k", "--as")
    done = podium(*command, "mine", "--limit", 1)
    assert (done.code, "items        1:" in done.out) == (0, True)
    assert json.loads((home / "evalsets/mine.jsonl").read_text())["id"] == "mine-00001"

    again = podium(*command, "mine")
    assert again.code == 2
    assert "evalset 'mine' already exists" in again.err
    assert "items        2:" in podium(*command, "mine", "--replace").out
    assert podium(*command, "a/b").code == 2

    source.write_text('{"question": "q", "answer": "w"}\n')
    bad = podium(*command, "other")
    assert bad.code == 2
    assert f"{source}:1: has the fields question, answer, and gsm8k needs question, answer with '#### N'" in bad.err
    assert not (home / "evalsets/other.jsonl").exists()


def test_import_takes_the_options_of_trainset_import(podium, home):
    (home / "in.csv").write_text("body;q;label\nAnn has 9.;How many?;9\n")
    named = ("--prompt-field", "body,q", "--response-field", "label")
    done = podium("evalset", "import", home / "in.csv", "--as", "mine", *named)
    assert (done.code, done.out.splitlines()[0]) == (0, "format       fields"), done.err
    item = json.loads((home / "evalsets/mine.jsonl").read_text())
    assert (item["prompt"], item["expected_answer"]) == ("Ann has 9.\nHow many?", "9")
    saved = shipped() / "tests/fixtures/datasets/saved"
    assert "format       messages\n" in podium("evalset", "import", saved, "--split", "test", "--as", "saved").out


@pytest.mark.parametrize(
    ("gold", "fault"),
    [
        ("\\]", "is markup, not an answer"),
        ("$$", "is markup, not an answer"),
        ("```", "is markup, not an answer"),
        ("**Answer**: 42", "has a label before the answer; give '42' alone"),
    ],
)
def test_check_says_that_no_prediction_can_equal_an_answer(podium, write, gold, fault):
    path = write({"id": "a", **ROW, "expected_answer": gold})
    done = podium("evalset", "check", path)
    assert (done.code, done.err) == (2, f"error: item 'a': expected_answer {gold!r} {fault}\n")
    header = {"evalset_version": "1", "scorer": "contains"}  # looks for a text, which may be a code fence
    assert podium("evalset", "check", write(header, {"id": "a", **ROW, "expected_answer": gold})).code == 0
