import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.sets.evalset import load_evalset
from podium.core.clock import Deadline
from podium.core.config import RunConfig, load_config
from podium.core.hashing import sha256_file
from podium.core.records import Prediction, ReasoningTrace, read_records
from trainer.data.trainsets import write_trainset
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun

Podium = Callable[..., object]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a checkpoint after two steps."""
    folder = tmp_path_factory.mktemp("predict")
    traces = [ReasoningTrace(prompt=f"{a}+1=?", final_answer=str(a + 1)) for a in range(9)]
    write_trainset(folder / "sums", traces, name="sums", recipe="test", recipe_version="1", seed=None)
    config = RunConfig().with_overrides(
        {
            **{"data.trainset": str(folder / "sums"), "data.max_seq_len": 32},
            **{"train.max_steps": 2, "train.batch_size": 4, "train.remat": "none"},
            **{"generate.batch_size": 4, "generate.max_prompt_tokens": 8, "generate.max_new_tokens": 16},
        }
    )
    training_run = TrainingRun(config, folder / "run", ProgramLibrary())
    training_run.advance(2, Deadline.after(None))
    training_run.save()
    training_run.close()
    return folder / "run"


@pytest.fixture
def evalset(home: Path) -> Path:
    """12 items, the last of them with a prompt that is too long."""
    prompts = [*(f"{a}+1=?" for a in range(11)), "what on earth is the sum of one and one?"]
    facts = {"expected_answer": "1", "section": "core", "category": "sum", "difficulty": "easy"}
    rows = [{"id": f"q{number}", "prompt": prompt, **facts} for number, prompt in enumerate(prompts)]
    path = home / "some.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_predictions_and_their_meta(podium: Podium, run: Path, evalset: Path, home: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*"))
    done = podium("predict", "--run", run, "--evalset", evalset, "--out", "answers/predictions.jsonl")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].startswith("device: asked for auto, found cpu")
    assert "at step 2; 12 prompts of some (all)" in done.out
    assert "1 prompt lost their beginning" in done.out
    assert re.search(r"12 predictions in .*s \(length 12\); 1 prompt", done.out)
    predictions = read_records(Prediction, home / "answers" / "predictions.jsonl")
    assert [prediction.id for prediction in predictions] == [f"q{number}" for number in range(12)]
    assert all(prediction.n_output_tokens <= 16 for prediction in predictions)
    meta = json.loads((home / "answers" / "predictions_meta.json").read_text())
    assert meta["evalset"] == {"name": "some", "sha256": sha256_file(evalset)}
    assert (meta["split"], meta["n"], meta["step"], meta["model_id"], meta["n_prompts_cut"]) == (
        "all",
        12,
        2,
        "tiny",
        1,
    )
    assert meta["seconds"] > 0
    assert sorted((path, path.stat().st_mtime_ns) for path in run.rglob("*")) == before  # the run is only read


def test_a_model_before_any_training(podium: Podium, run: Path, evalset: Path, home: Path, tmp_path: Path) -> None:
    """It answers as the run would have at step 0, and scores."""
    config = run / "config.yaml"
    plan = ("--config", config, "--evalset", evalset, "--out")
    done = podium("predict", *plan, "before.jsonl")
    assert done.code == 0, done.err
    assert "model: tiny before any training; 12 prompts of some (all)" in done.out
    untrained = TrainingRun(load_config(config), tmp_path / "none", ProgramLibrary())
    wanted = untrained.predict(load_evalset(str(evalset)).samples, Deadline.after(None))
    assert read_records(Prediction, home / "before.jsonl") == wanted
    meta = json.loads((home / "before_meta.json").read_text())
    assert (meta["step"], meta["model_id"], meta["n"]) == (0, "tiny", 12) and "run" not in meta
    scored = podium("score", "before.jsonl", "--evalset", evalset)
    assert scored.code == 0, scored.err
    seeded = podium("predict", *plan, "other.jsonl", "--set", "train.seed=1")  # nothing was trained with another
    assert seeded.code == 0, seeded.err
    assert read_records(Prediction, home / "other.jsonl") != wanted
    assert sorted(path.name for path in home.iterdir()) == [
        *("before.jsonl", "before_meta.json", "other.jsonl", "other_meta.json", "some.jsonl")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "neither --run nor --config is given; give --run DIR for a trained model, or --config CONFIG.yaml"),
        (("--run", ".", "--config", "c.yaml"), "--run and --config are both given; give --run DIR for a trained model"),
        (
            ("--config", "c.yaml", "--step", "3"),
            "--step 3 with --config: a model before any training has no checkpoints",
        ),
        (("--config", "nowhere.yaml"), "file 'nowhere.yaml' not found"),
    ],
)
def test_one_model_is_to_answer(podium: Podium, evalset: Path, options: tuple[str, ...], message: str) -> None:
    done = podium("predict", "--evalset", evalset, "--out", "p.jsonl", *options)
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1


def test_one_split(podium: Podium, run: Path, evalset: Path, home: Path) -> None:
    podium("predict", "--run", run, "--evalset", evalset, "--out", "dev.jsonl", "--split", "dev")
    podium("predict", "--run", run, "--evalset", evalset, "--out", "holdout.jsonl", "--split", "holdout")
    dev, holdout = ({p.id for p in read_records(Prediction, home / f"{name}.jsonl")} for name in ("dev", "holdout"))
    assert dev and holdout and not dev & holdout and len(dev | holdout) == 12


def test_several_samples_a_prompt(podium: Podium, run: Path, evalset: Path, home: Path) -> None:
    warm = ("--set", "generate.temperature=0.8", "--set", "generate.num_samples=2", "--set", "generate.seed=4")
    done = podium("predict", "--run", run, "--evalset", evalset, "--out", "p.jsonl", *warm)
    assert done.code == 0, done.err
    predictions = read_records(Prediction, home / "p.jsonl")
    assert [(found.id, found.sample) for found in predictions] == [(f"q{n}", k) for n in range(12) for k in (0, 1)]
    settings = json.loads((home / "p_meta.json").read_text())["generate"]
    assert (settings["temperature"], settings["num_samples"], settings["seed"]) == (0.8, 2, 4)
    refused = podium("predict", "--run", run, "--evalset", evalset, "--out", "q.jsonl", "--set", "train.seed=1")
    assert refused.code == 2 and "--set train.seed: predict changes generate. and device. keys only" in refused.err
    assert not (home / "q.jsonl").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"--run": "nowhere"}, "nowhere/config.yaml does not exist"),
        ({"--evalset": "nope"}, "evalset 'nope' not found"),
        ({"--split": "test"}, "split 'test', must be one of dev, holdout, all"),
        ({"--device": "gpu"}, "--device gpu: JAX found no gpu here"),
        ({"--step": "7"}, "checkpoints/7: not a complete checkpoint of this run"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    podium: Podium, run: Path, evalset: Path, home: Path, changed: dict[str, str], message: str
) -> None:
    options = {"--run": str(run), "--evalset": str(evalset), "--out": "p.jsonl", **changed}
    done = podium("predict", *(word for pair in options.items() for word in pair))
    assert done.code == 2 and message in done.err and done.err.count("\n") == 1
    assert [path.name for path in home.iterdir()] == ["some.jsonl"]


def test_a_run_without_a_checkpoint_is_refused(podium: Podium, run: Path, evalset: Path, home: Path) -> None:
    (home / "empty").mkdir()
    (home / "empty" / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    done = podium("predict", "--run", "empty", "--evalset", evalset, "--out", "p.jsonl")
    assert done.code == 2
    assert "empty has no checkpoints; `podium train CONFIG.yaml --out empty` makes them" in done.err
