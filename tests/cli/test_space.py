def test_check_shows_what_is_searched_and_drawn(podium):
    done = podium("space", "check", "search_spaces/gemma3_1b.yaml", "--samples", "3")
    lines = done.out.splitlines()
    assert done.code == 0, done.err
    assert lines[0].startswith(
        "gemma3-1b: maximize dev/answer_correctness in 20 trials of up to 300 steps; sampler tpe"
    )
    assert "  train.warmup_steps: =0.1 * train.max_steps" in lines
    drawn = [line for line in lines if line.startswith("[")]
    assert len(drawn) == 3
    assert "train.learning_rate=0.0002" in drawn[0] and "lora.alpha=32" in drawn[0]  # the base config
    assert "train.learning_rate=0.0005" in drawn[1] and "lora.rank=32" in drawn[1]  # what it starts with


def test_check_says_which_draws_could_not_begin(podium, home):
    (home / "base.yaml").write_text("train: {max_steps: 90}")
    (home / "space.yaml").write_text(
        "{name: s, base: base.yaml, trials: 3, report_every_steps: 10, baseline: false, sampler: random,"
        " constraints: ['train.max_steps <= 50'],"
        " parameters: {train.max_steps: {type: categorical, choices: [30, 90]}}}"
    )
    done = podium("space", "check", "space.yaml", "--samples", "8")
    drawn = [line.partition(" ")[2] for line in done.out.splitlines() if line.startswith("[")]
    refused = "train.max_steps=90  infeasible: constraint 'train.max_steps <= 50' is broken by 40"
    assert set(drawn) == {"train.max_steps=30", refused}
    assert not (home / "workspace").exists()


def test_a_bad_space_is_one_line(podium):
    done = podium("space", "check", "absent.yaml")
    assert done.code == 2
    assert done.err.startswith("error: file 'absent.yaml' not found")
    assert len(done.err.splitlines()) == 1
