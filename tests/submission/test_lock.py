import hashlib
import json
import re
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest

from eval.scorers.answer import AnswerScorer
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.provenance import code_commit
from podium.core.temporary import ENDING
from podium.submission.lock import read_lock, verify_inputs, write_lock
from tests.submission.small import OVERRIDES, flip, promotion, tree
from trainer.export import save_hf
from trainer.model.base_model import init_state, load_base
from trainer.model.sources import TINY


def test_a_lock_fixes_the_day_of_its_chat_template(data_home, clock_tokenizer, set_today):
    set_today("2026-01-02")
    changes = {"model.tokenizer": clock_tokenizer}
    lock = write_lock(promotion(**changes), "one")
    assert json.loads(lock_file(data_home).read_text())["config"]["data"]["date"] == "2026-01-02"
    kept = write_lock(promotion(**changes, **{"data.date": "2024-07-26"}), "two")  # the study has fixed it
    set_today("2026-01-03")
    assert [read_lock(name).run_config().data.date for name in ("one", "two")] == [date(2026, 1, 2), date(2024, 7, 26)]
    verify_inputs(lock)
    verify_inputs(kept)


def test_the_end_tokens_of_a_model_are_locked(data_home):
    (data_home / "model").mkdir()
    base = load_base(RunConfig())
    save_hf(data_home / "model" / "tiny", base, *init_state(base, RunConfig(), 0), RunConfig().lora)
    lock = write_lock(promotion(**{"model.source": str(data_home / "model" / "tiny")}), "one")
    (data_home / "model" / "tiny" / "generation_config.json").write_text('{"eos_token_id": [2, 3]}')
    with pytest.raises(UsageError, match=r"model/generation_config\.json differs"):
        verify_inputs(lock)


def lock_file(home, name="one"):
    return home / "submission_runs" / name / "lock.json"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_lock_says_what_will_run_and_what_it_stands_on(data_home):
    lock = write_lock(promotion(), "one")
    values = json.loads(lock_file(data_home).read_text())
    assert RunConfig.model_validate(values["config"]) == RunConfig().with_overrides(OVERRIDES)
    assert values["hashes"] == {
        "config": RunConfig().with_overrides(OVERRIDES).hash,
        "trainset/traces.jsonl": sha256(data_home / "trainsets/small/traces.jsonl"),
        "trainset/manifest.json": sha256(data_home / "trainsets/small/manifest.json"),
        "evalset": sha256(data_home / "evalsets/small_v1.jsonl"),
        "model/config.json": sha256(TINY / "config.json"),
        "tokenizer/tokenizer.json": sha256(TINY / "tokenizer.json"),
        "tokenizer/tokenizer_config.json": sha256(TINY / "tokenizer_config.json"),
        "code": lock.hashes["code"],
        "requirements": sha256(TINY.parents[1] / "requirements.txt"),
    }
    assert (values["study"], values["trial"]) == ("small-001", 3)
    assert values["mlflow_run_id"] == "0123456789abcdef0123456789abcdef"
    assert values["seeds"] == {"train": 0, "model_init": 0, "bootstrap": 0}
    assert values["budget"] == {"profile": "local", "time_budget_s": 43200.0, "reserve_s": 30.0}
    assert values.get("code_commit") == code_commit()
    assert datetime.now(UTC) - datetime.fromisoformat(values["created_at"]) < timedelta(minutes=5)
    assert "null" not in lock_file(data_home).read_text()


def test_the_lock_id_is_the_hash_of_all_the_rest(data_home):
    write_lock(promotion(), "one")
    values = json.loads(lock_file(data_home).read_text())
    lock_id = values.pop("lock_id")
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert lock_id == hashlib.sha256(canonical).hexdigest()


@pytest.mark.usefixtures("data_home")
def test_a_lock_reads_back_and_its_inputs_verify():
    lock = write_lock(promotion(), "one")
    assert read_lock("one") == lock
    verify_inputs(lock)


@pytest.mark.usefixtures("data_home")
def test_a_lock_with_another_version_of_the_scorer_says_so(monkeypatch):
    lock = write_lock(promotion(), "one")
    assert lock.scorer == f"answer version {AnswerScorer.version}"
    monkeypatch.setattr(AnswerScorer, "version", "99")
    with pytest.raises(UsageError) as raised:
        verify_inputs(lock)
    assert str(raised.value).startswith(
        f"submission 'one': locked with {lock.scorer.replace('answer', 'scorer answer')}, and this Podium has answer "
        "version 99; the two are not comparable: submit with the code that it was made with"
    )


def test_no_byte_of_a_lock_can_change(data_home):
    write_lock(promotion(), "one")
    path = lock_file(data_home)
    original = path.read_bytes()
    for position in range(0, len(original), 11):
        flip(path, position)
        with pytest.raises(UsageError):
            read_lock("one")
        path.write_bytes(original)
    assert read_lock("one")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"trial": 3', '"trial": 4'),
        ('"trial": 3', '"trial":  3'),  # white space alone
        ('"value": 12.5', '"value": 12.50'),  # the same number, written otherwise
        ("\n", "\r"),
    ],
)
def test_a_changed_lock_is_named_with_both_ids(data_home, old, new):
    lock = write_lock(promotion(), "one")
    path = lock_file(data_home)
    path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1))
    rule = rf"submission 'one': lock.json was changed .*lock_id expected {lock.lock_id[:12]}, found [0-9a-f]{{12}}"
    with pytest.raises(UsageError, match=rule):
        read_lock("one")


def test_a_lock_under_another_name_is_refused(data_home):
    write_lock(promotion(), "one")
    lock_file(data_home, "two").parent.mkdir()
    lock_file(data_home).rename(lock_file(data_home, "two"))
    with pytest.raises(UsageError, match=r"submission 'two': lock\.json belongs to 'one'"):
        read_lock("two")


def test_a_name_without_a_lock(home):
    with pytest.raises(UsageError, match=r"'gone': .*lock.json does not exist; `podium promote STUDY --as gone` makes"):
        read_lock("gone")
    assert tree(home) == {}


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("trainsets/small/traces.jsonl", "trainset/traces.jsonl"),
        ("trainsets/small/manifest.json", "trainset/manifest.json"),
        ("evalsets/small_v1.jsonl", "evalset"),
    ],
)
def test_an_input_that_differs_by_one_byte_is_named(data_home, file, what):
    lock = write_lock(promotion(), "one")
    expected = sha256(data_home / file)
    flip(data_home / file)
    found = sha256(data_home / file)
    with pytest.raises(UsageError) as caught:
        verify_inputs(lock)
    assert str(caught.value) == (
        f"submission 'one': {what} differs (expected {expected[:12]}, found {found[:12]}); "
        "restore it, or promote again under another name"
    )


@pytest.mark.usefixtures("data_home")
def test_every_difference_is_named():
    lock = write_lock(promotion(), "one")
    changed = lock.model_copy(update={"hashes": {**lock.hashes, "code": "0" * 64, "weights": "1" * 64}})
    with pytest.raises(UsageError) as caught:
        verify_inputs(changed)
    assert f"code differs (expected {'0' * 12}, found {lock.hashes['code'][:12]})" in str(caught.value)
    assert f"weights differs (expected {'1' * 12}, found nothing)" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "submission name '': use 1 to 100 letters"),
        ("../up", "submission name '../up': use 1 to 100 letters"),
        (".hidden", "submission name '.hidden': use 1 to 100 letters"),
        ("packages", "submission name 'packages': submission_runs/packages/ holds packages"),
        ("Packages", "submission name 'Packages': submission_runs/packages/ holds packages"),
    ],
)
def test_bad_names_write_nothing(data_home, name, message):
    before = tree(data_home)
    with pytest.raises(UsageError) as caught:
        write_lock(promotion(), name)
    assert str(caught.value).startswith(message)
    assert tree(data_home) == before


def test_the_name_of_a_promotion_that_was_killed_is_free(data_home):
    left = data_home / "submission_runs/one" / f".lock.json.1f2e3d4c{ENDING}"
    left.parent.mkdir(parents=True)
    left.write_text("{")
    write_lock(promotion(), "one")
    assert [path.name for path in left.parent.iterdir()] == ["lock.json"]


def test_a_name_is_given_once(data_home):
    write_lock(promotion(), "one")
    before = tree(data_home)
    with pytest.raises(UsageError, match=r"submission 'one' already exists \(.*\); choose another name"):
        write_lock(promotion(**{"train.seed": 1}), "one")
    assert tree(data_home) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.trainset": "gone"}, "trainset 'gone' not found"),
        ({"eval.evalset": "gone"}, "evalset 'gone' not found"),
        ({"model.source": "/gone"}, "model.source='/gone': the folder does not exist"),
        ({"budget.profile": "gone"}, "budget.profile='gone', must be one of local"),
        ({"generate.stop": ["TODO"]}, "lock.config.generate.stop[0]='TODO': evidence must hold no null, placeholder"),
    ],
)
def test_what_is_missing_writes_nothing(data_home, changes, message):
    before = tree(data_home)
    with pytest.raises(UsageError, match=re.escape(message)):
        write_lock(promotion(**changes), "one")
    assert tree(data_home) == before


def test_overlapping_data_is_never_locked(data_home):
    prompt = json.loads((data_home / "trainsets/small/traces.jsonl").read_text().splitlines()[0])["prompt"]
    path = data_home / "evalsets/small_v1.jsonl"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), "prompt": prompt}), *rest]) + "\n")
    with pytest.raises(UsageError, match=r"share 1 prompt \(item-0\)"):
        write_lock(promotion(), "one")
    assert not lock_file(data_home).exists()


def test_a_trial_that_mlflow_did_not_see_is_locked_without_its_run(data_home):
    lock = write_lock(promotion().model_copy(update={"mlflow_run_id": None}), "one")
    assert "mlflow_run_id" not in json.loads(lock_file(data_home).read_text())
    assert read_lock("one") == lock


def test_a_model_elsewhere_is_named_and_hashed_and_found_again(data_home, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "gemma"
    base = load_base(RunConfig())
    save_hf(elsewhere, base, *init_state(base, RunConfig(), 0), RunConfig().lora)
    lock = write_lock(promotion(**{"model.source": str(elsewhere)}), "one")
    assert lock.config["model"]["source"] == "local:gemma"
    assert lock.hashes["model/model.safetensors"] == sha256(elsewhere / "model.safetensors")
    assert str(elsewhere) not in lock_file(data_home).read_text()
    verify_inputs(lock)
    shutil.copytree(elsewhere, data_home / "models" / "gemma")  # as on another machine
    (data_home / "workspace/models/gemma").unlink()
    verify_inputs(lock)
    shutil.rmtree(data_home / "models")
    with pytest.raises(UsageError, match=r"model.source='local:gemma': no such folder .*link or copy the"):
        verify_inputs(lock)


def test_two_models_of_one_name_get_two_names(data_home, tmp_path_factory):
    names = []
    for folder in (tmp_path_factory.mktemp("a") / "gemma", tmp_path_factory.mktemp("b") / "gemma"):
        shutil.copytree(TINY, folder)
        names.append(write_lock(promotion(**{"model.tokenizer": str(folder)}), f"one-{len(names)}").config)
    assert [config["model"]["tokenizer"] for config in names] == ["local:gemma", "local:gemma-2"]
    assert data_home.exists()


def test_data_is_named_by_its_place_in_home(data_home, tmp_path_factory):
    evalset = data_home / "evalsets/small_v1.jsonl"
    changes = {"data.trainset": str(data_home / "trainsets/small"), "eval.evalset": str(evalset)}
    lock = write_lock(promotion(**changes), "one")
    assert (lock.config["data"]["trainset"], lock.config["eval"]["evalset"]) == ("small", "small_v1")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "other.jsonl"
    shutil.copy(evalset, elsewhere)
    with pytest.raises(UsageError, match=r"must be in evalsets/; copy it to evalsets/other.jsonl, and promote again"):
        write_lock(promotion(**{"eval.evalset": str(elsewhere)}), "two")
