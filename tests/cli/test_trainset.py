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
    assert (
        f"{source}:1: has the fields question, and gsm8k needs question, answer with '#### N' at the end"
        in bad_line.err
    )
    assert bad_line.err.count("\n") == 1
    assert not (home / "trainsets/other").exists()


def test_import_says_which_format_it_took(podium, home):
    (home / "in.csv").write_text("instruction,output,note\na,b,c\n")
    done = podium("trainset", "import", home / "in.csv", "--as", "mine")
    assert (done.code, done.out.splitlines()[0]) == (0, "format       alpaca")
    named = ("--prompt-field", "note,instruction", "--response-field", "output")
    assert "format       fields\n" in podium("trainset", "import", home / "in.csv", "--as", "named", *named).out
    (line,) = (home / "trainsets/named/traces.jsonl").read_text().splitlines()
    assert json.loads(line)["messages"][0] == {"role": "user", "content": "c\na"}


def test_import_of_a_split_of_a_folder(podium):
    saved = shipped() / "tests/fixtures/datasets/saved"
    done = podium("trainset", "import", saved, "--split", "test", "--as", "mine")
    assert (done.code, "traces       1: import:messages 1" in done.out) == (0, True), done.err
    refused = podium("trainset", "import", saved, "--revision", "v1", "--as", "other")
    assert refused.err == "error: --revision v1: only a hub set (hf:OWNER/NAME) has one; leave it out\n"


def test_holdout_makes_a_trainset_and_an_evalset_that_share_no_prompt(podium, home):
    rows = [{"question": f"{n}+1?", "answer": f"so\n#### {n + 1}"} for n in range(20)]
    (home / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ("trainset", "import", home / "in.jsonl", "--as", "mine", "--holdout", "0.25")
    done = podium(*command)
    assert done.code == 0, done.err
    assert "traces       15: import:gsm8k 15\n" in done.out
    assert "held out     5 prompts as evalset mine (evalsets/mine.jsonl)\n" in done.out
    assert "overlap      0 with trainset mine" in podium("evalset", "check", "mine", "--trainset", "mine").out
    answers = [json.loads(line)["expected_answer"] for line in (home / "evalsets/mine.jsonl").read_text().splitlines()]
    assert len(set(answers)) == 5 and {int(answer) for answer in answers} <= set(range(1, 21))
    assert podium(*command).code == 2
    assert podium(*command, "--replace").code == 0


def test_bad_rows_are_counted_and_may_be_skipped(podium, home):
    rows = [{"instruction": f"{n}+1?", "output": "" if n % 5 == 3 else f"{n + 1}"} for n in range(10)]
    (home / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ("trainset", "import", home / "in.jsonl", "--as", "mine")
    refused = podium(*command)
    reason = "in.jsonl:4: 'output' is '', must be a text or a number, and not empty"
    assert refused.code == 2 and not (home / "trainsets").exists()
    assert refused.err.endswith(f"{reason}; bad rows: 2 of 10; mend them, or leave them out by --skip-bad\n")
    done = podium(*command, "--skip-bad", "--holdout", "3")
    assert f"{reason}\n" in done.out and "\nskipped      2 bad rows; the first: " in done.out
    assert "traces       5: import:alpaca 5\n" in done.out and "held out     3 prompts" in done.out
    items = [json.loads(line) for line in (home / "evalsets/mine.jsonl").read_text().splitlines()]
    assert all(item["prompt"] == f"{int(item['expected_answer']) - 1}+1?" for item in items)
    (home / "in.jsonl").write_text(json.dumps(rows[3]) + "\n")
    nothing = podium(*command, "--skip-bad", "--replace")
    assert (
        nothing.code,
        nothing.err.endswith("in.jsonl:1: 'output' is '', must be a text or a number, and not empty\n"),
    ) == (2, True)


def test_holdout_writes_nothing_if_it_cannot(podium, home):
    (home / "in.jsonl").write_text('{"prompt": "p", "response": "r"}\n{"prompt": "q", "response": "r"}\n')
    command = ("trainset", "import", home / "in.jsonl", "--as", "mine", "--holdout")
    assert "is 2 of 2 distinct prompts, must be 1 to 1" in podium(*command, "2").err
    (home / "evalsets").mkdir()
    (home / "evalsets/mine.jsonl").write_text("")
    taken = podium(*command, "1")
    assert (taken.code, "evalset 'mine' already exists" in taken.err) == (2, True)
    assert not (home / "trainsets").exists()


def test_a_set_of_many_categories_names_the_largest(podium, home):
    rows = [{"prompt": "p", "final_answer": "a", "meta": {"category": f"c{n % 30}"}} for n in range(31)]
    (home / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = podium("trainset", "import", home / "in.jsonl", "--as", "mine")
    assert "traces       31: c0 2, c1 1, " in done.out
    assert "and 10 smaller categories\n" in done.out
