import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from podium.core.records import ReasoningTrace, TraceStep
from trainer.data.trainsets import write_trainset

Podium = Callable[..., object]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the trainset `sums`."""
    folder = tmp_path_factory.mktemp("shared")
    traces = [
        ReasoningTrace(
            prompt=f"{a}+{b}=?",
            final_answer=str(a + b),
            steps=(TraceStep(i=0, type="compute", content=f"{a}+{b}={a + b}"),),
        )
        for a in range(10)
        for b in range(10)
    ]
    write_trainset(folder / "sums", traces, name="sums", recipe="test", recipe_version="1", seed=None)
    return folder


@pytest.fixture(autouse=True)
def setting(shared: Path, home: Path) -> Path:
    """sums.yaml in an empty PODIUM_HOME."""
    config = {
        "data": {"trainset": str(shared / "sums"), "max_seq_len": 32},
        "train": {"max_steps": 12, "learning_rate": 3e-3, "save_every_steps": 5, "batch_size": 4, "remat": "none"},
        "generate": {"batch_size": 4, "max_prompt_tokens": 8, "max_new_tokens": 16},
    }
    (home / "sums.yaml").write_text(yaml.safe_dump(config))
    return home


def test_a_whole_run(podium: Podium, home: Path) -> None:
    done = podium("train", "sums.yaml", "--out", "run")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("device: asked for auto, found cpu (")
    assert lines[1] == "model: tiny, all parameters, computed in float32"
    assert lines[2].startswith("trainset: sums, 100 examples of up to 32 tokens; 0 cut, 0 left out")
    assert [line.split()[1] for line in lines if line.startswith("step ")] == ["5/12", "10/12", "12/12"]
    assert all(" loss " in line and " tokens/s" in line for line in lines if line.startswith("step "))
    assert lines[-2].startswith("complete: step 12, loss ") and lines[-2].endswith("files in run")
    assert lines[-1] == "next: podium predict --run run --evalset NAME --out run/predictions.jsonl"
    assert sorted(path.name for path in (home / "run").iterdir()) == [
        *("checkpoints", "config.yaml", "metrics.jsonl", "provenance.json")
    ]
    assert sorted(path.name for path in (home / "run" / "checkpoints").iterdir()) == ["10", "12"]
    logged = [json.loads(line) for line in (home / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [set(line) for line in logged] == [{"step", "loss", "learning_rate", "tokens", "elapsed_s", "phase"}] * 2


def test_sizes_are_found_printed_once_and_kept_by_a_resume(podium: Podium, home: Path, shared: Path) -> None:
    train = {"epochs": 0.5, "learning_rate": 3e-3, "batch_size": 4, "remat": "none"}
    config = {"data": {"trainset": str(shared / "sums")}, "train": train, "eval": {"evalset": "one.jsonl"}}
    (home / "open.yaml").write_text(yaml.safe_dump(config))
    about = {"section": "core", "category": "sum", "difficulty": "easy"}
    items = [{"id": "a", "prompt": "1+" * 20 + "1=?", "expected_answer": "21", **about}]
    (home / "one.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    done = podium("train", "open.yaml", "--out", "open")
    assert done.code == 0, done.err
    assert [line for line in done.out.splitlines() if line.startswith("sizes: ")] == [
        "sizes: data.max_seq_len=24, generate.max_prompt_tokens=48, generate.max_new_tokens=16, "
        "generate.batch_size=32, train.max_steps=13 (0.5 epochs)"
    ]
    saved = (home / "open" / "config.yaml").read_text()
    assert "max_seq_len: 24" in saved and "max_steps: 13" in saved and "epochs" not in saved
    (home / "one.jsonl").write_text(json.dumps({**items[0], "prompt": "2+2=?"}) + "\n")
    again = podium("train", "open.yaml", "--out", "open", "--resume")
    assert again.code == 0, again.err
    assert (home / "open" / "config.yaml").read_text() == saved
    predicted = podium("predict", "--run", "open", "--evalset", "one.jsonl", "--out", "answers.jsonl")
    assert predicted.code == 0, predicted.err


def test_a_smoke_run_tries_the_whole_path_at_little_cost(podium: Podium, home: Path) -> None:
    done = podium("train", "sums.yaml", "--out", "smoke", "--smoke-steps", "3")
    assert done.code == 0, done.err
    assert "smoke run: 3 steps, batch 1, adafactor, no memory preallocated" in done.out.splitlines()
    assert done.out.splitlines()[-1].startswith("complete: step 3, loss ")
    saved = yaml.safe_load((home / "smoke" / "config.yaml").read_text())
    assert (saved["train"]["batch_size"], saved["train"]["optimizer"]) == (1, "adafactor")
    refused = podium("train", "sums.yaml", "--out", "smoke", "--smoke-steps", "3", "--resume")
    assert (refused.code, "a smoke run cannot resume a run" in refused.err) == (2, True)


def test_a_fitted_schedule_is_recorded_and_gone_on_with(podium: Podium, home: Path) -> None:
    fit = ("--set", "train.fit_schedule=true", "--set", "train.warmup_steps=4", "--time-budget", "10h")
    done = podium("train", "sums.yaml", "--out", "run", *fit)
    assert done.code == 0, done.err
    assert " s per step; 12 of 12 steps planned" in done.out  # ten hours are enough for the twelve that were asked for
    train = yaml.safe_load((home / "run" / "config.yaml").read_text())["train"]
    assert (train["fit_schedule"], train["max_steps"], train["warmup_steps"]) == (False, 12, 4)
    again = podium("train", "sums.yaml", "--out", "run", *fit, "--resume")
    assert again.code == 0, again.err
    assert "planned" not in again.out and "complete: step 12" in again.out
    refused = podium("train", "sums.yaml", "--out", "other", "--set", "train.fit_schedule=true")
    assert (refused.code, "there is no deadline to fit to; give --time-budget" in refused.err) == (2, True)
    assert not (home / "other").exists()


def test_an_interrupted_run_needs_resume_to_go_on(podium: Podium, home: Path) -> None:
    assert podium("train", "sums.yaml", "--out", "run", "--time-budget", "0.001s").code == 0
    again = podium("train", "sums.yaml", "--out", "run")
    assert again.code == 2
    assert again.err == "error: --out run already holds a run; pass --resume to continue it, or choose another folder\n"
    more = podium("train", "sums.yaml", "--out", "run", "--resume", "--save-every-steps", "4")
    assert more.code == 0 and "complete: step 12" in more.out
    assert sorted(path.name for path in (home / "run" / "checkpoints").iterdir()) == ["12", "8"]


def test_options_and_set_end_in_the_resolved_config(podium: Podium, home: Path) -> None:
    changes = ("--max-steps", "4", "--set", "train.learning_rate=0.001", "--set", "train.beta2=0.9", "--device", "cpu")
    done = podium("train", "sums.yaml", "--out", "run", *changes, "--time-budget", "10m")
    assert done.code == 0, done.err
    saved = yaml.safe_load((home / "run" / "config.yaml").read_text())
    train = saved["train"]
    assert (train["max_steps"], train["learning_rate"], train["beta2"]) == (4, 0.001, 0.9)
    assert saved["device"]["kind"] == "cpu" and saved["budget"]["time_budget_s"] == 600
    assert json.loads((home / "run" / "provenance.json").read_text())["device"]["asked"] == "cpu"


def test_a_time_budget_that_is_used_up_truncates(podium: Podium, home: Path) -> None:
    done = podium("train", "sums.yaml", "--out", "run", "--time-budget", "0.001s")
    assert done.code == 0
    assert "time budget of 0.001 s used up: stopped after step 0 of 12 (truncated)" in done.out
    assert done.out.splitlines()[-1].startswith("stopped: step 0, loss none, 0 tokens")
    assert (home / "run" / "checkpoints" / "0").is_dir()


def test_a_diverged_run_fails_with_step_and_gradient_norm(podium: Podium, home: Path) -> None:
    wild = ("--set", "train.learning_rate=1e15", "--set", "train.schedule=constant", "--save-every-steps", "1")
    done = podium("train", "sums.yaml", "--out", "run", *wild)
    assert done.code == 1
    assert done.err.startswith("error: diverged at step 2: loss nan, gradient norm nan; loss and gradient must")
    assert done.err.endswith("the last good checkpoint is in run/checkpoints\n")
    assert [path.name for path in (home / "run" / "checkpoints").iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "--device tpu: JAX found no tpu here, only cpu"),
        (["--device", "npu"], "device.kind='npu': must be 'auto', 'cpu', 'gpu' or 'tpu'"),
        (["--set", "train.lr=1"], "unknown config key 'train.lr'; did you mean 'train."),
        (["--set", "train.learning_rate"], "--set 'train.learning_rate': must be key=value"),
        (["--set", "train.learning_rate=fast"], "train.learning_rate='fast': must be a valid number"),
        (["--max-steps", "0"], "train.max_steps=0: must be greater than or equal to 1"),
        (["--time-budget", "soon"], "duration 'soon': must be positive and written like 30m"),
        (["--time-budget", "99h"], "budget.time_budget_s=356400, must be <= 43200, the session of profile local"),
        (["--set", "data.trainset=nope"], "trainset 'nope' not found"),
        (["--set", "model.source=./nope"], "model.source='./nope': the folder does not exist"),
        (["--set", "lora.rank=0"], "lora.rank=0: must be greater than or equal to 1"),
        (
            ["--set", "train.dtype=fp16"],
            "train.dtype='fp16': must be 'auto', 'float32', 'bfloat16' or 'float16'",
        ),
        (["--set", "train.optimizer=adam"], "train.optimizer='adam': must be 'adamw', 'adafactor', 'lion'"),
        (["--set", "data.template=chat"], "data.template='chat': the tokenizer in"),
        (["--set", "data.length_buckets=[64]"], "data.length_buckets=[64], must ascend from 8 or more to less than"),
        (["--set", "train.fit_schedule=true"], "there is no deadline to fit to; give --time-budget"),
        (["--set", "data.max_seq_len=4096"], "data.max_seq_len=4096, must be <= 512, the positions of tiny"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    podium: Podium, home: Path, arguments: list[str], message: str
) -> None:
    done = podium("train", "sums.yaml", "--out", "run", *arguments)
    assert done.code == 2
    assert message in done.err and done.err.startswith("error: ") and done.err.count("\n") == 1
    assert sorted(path.name for path in home.iterdir()) == ["sums.yaml"]


def test_a_trainset_of_which_nothing_fits_is_refused(podium: Podium, home: Path) -> None:
    traces = [ReasoningTrace(prompt="why " * 40, final_answer="so")]
    write_trainset(home / "long", traces, name="long", recipe="test", recipe_version="1", seed=None)
    done = podium("train", "sums.yaml", "--out", "run", "--set", "data.trainset=./long")
    rule = "no completion is left of 1 examples with data.max_seq_len=32; raise data.max_seq_len"
    assert (done.code, done.err) == (2, f"error: trainset 'long': {rule}\n")
    assert not (home / "run").exists()


def test_a_missing_config_is_named(podium: Podium) -> None:
    done = podium("train", "nope.yaml", "--out", "run")
    assert (done.code, done.err.split(" (")[0]) == (2, "error: file 'nope.yaml' not found")


def test_a_run_of_another_config_is_not_gone_on_with(podium: Podium) -> None:
    podium("train", "sums.yaml", "--out", "run", "--time-budget", "0.001s")
    done = podium("train", "sums.yaml", "--out", "run", "--resume", "--set", "train.seed=5")
    assert done.code == 2
    assert "was saved with another config: train.seed (0 there, 5 here)" in done.err


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_a_signal_saves_and_ends_between_two_steps(home: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "podium.cli.main", "train", "sums.yaml", "--out", "run", "--max-steps", "100000"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as child:
        for line in child.stdout:
            if line.startswith("step 10/"):
                child.send_signal(number)
                break
        rest, errors = child.communicate()
    assert child.returncode == 128 + number, errors
    assert errors == ""
    last = rest.splitlines()[-1]
    step = int(last.split("after step ")[1].split(",")[0])
    assert last == f"{number.name}: stopped after step {step}, checkpoint saved; pass --resume to continue it"
    assert (home / "run" / "checkpoints" / str(step)).is_dir()
    assert json.loads((home / "run" / "metrics.jsonl").read_text().splitlines()[-1])["step"] == step


def test_a_run_keeps_the_day_it_was_made_on(podium: Podium, home: Path, clock_tokenizer: str, set_today) -> None:
    clock = ("--set", f"model.tokenizer={clock_tokenizer}", "--set", "data.max_seq_len=40")
    set_today("2026-01-02")
    done = podium("train", "sums.yaml", "--out", "run", *clock, "--set", "train.max_steps=4")
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].endswith(", chat template of 2026-01-02")
    config = (home / "run" / "config.yaml").read_bytes()
    assert yaml.safe_load(config)["data"]["date"] == "2026-01-02"
    set_today("2026-01-03")
    again = podium("train", "sums.yaml", "--out", "run", *clock, "--set", "train.max_steps=4", "--resume")
    assert again.code == 0, again.err
    assert (home / "run" / "config.yaml").read_bytes() == config
    other = ("--set", "data.date=2026-01-03", "--resume")
    refused = podium("train", "sums.yaml", "--out", "run", *clock, "--set", "train.max_steps=4", *other)
    assert refused.code == 2 and "data.date (2026-01-02 there, 2026-01-03 here)" in refused.err
    done = podium("predict", "--run", "run", "--evalset", "tiny_v1", "--split", "dev", "--out", "dev.jsonl")
    assert done.code == 0, done.err
    assert json.loads((home / "dev_meta.json").read_text())["date"] == "2026-01-02"


def test_a_run_of_before_dates_were_fixed_resumes(podium: Podium, home: Path, clock_tokenizer: str) -> None:
    """Its config.yaml has none, and its template reads the clock as it did."""
    settings = (f"model.tokenizer={clock_tokenizer}", "data.max_seq_len=40", "train.max_steps=4")
    clock = [word for setting in settings for word in ("--set", setting)]
    assert podium("train", "sums.yaml", "--out", "run", *clock).code == 0
    config = yaml.safe_load((home / "run" / "config.yaml").read_text())
    del config["data"]["date"]
    (home / "run" / "config.yaml").write_text(yaml.safe_dump(config))
    meta = home / "run" / "checkpoints" / "4" / "meta" / "metadata"
    saved = json.loads(meta.read_text())
    del saved["config"]["data"]["date"]
    meta.write_text(json.dumps(saved))
    (home / "run" / "checkpoints" / "4" / "hashes.json").unlink()  # it had none either
    done = podium("train", "sums.yaml", "--out", "run", *clock, "--resume")
    assert done.code == 0, done.err
    assert "date" not in yaml.safe_load((home / "run" / "config.yaml").read_text())["data"]
