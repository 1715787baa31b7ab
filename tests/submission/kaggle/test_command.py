"""The calls of the `kaggle` command, by a stand-in that writes down what it was called with."""

import json
import os

import pytest

from podium.core.errors import PodiumError
from podium.submission.kaggle.command import (
    LOOK_S,
    MOST_LOOKS,
    Call,
    is_configured,
    pull_calls,
    push_calls,
    run,
    status_calls,
)
from podium.submission.kaggle.exported import folder_of

STAND_IN = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
    "config view") exit ${CONFIGURED:-0} ;;
    *"$FAILS"*) echo "Traceback" >&2; echo "409 Client Error: KAGGLE_KEY=$KAGGLE_KEY" >&2; exit 1 ;;
    "datasets status"*) test -e "$CALLS.asked" && echo ready || echo pending; touch "$CALLS.asked" ;;
    "kernels status"*) echo 'ann/podium-one has status "complete"' ;;
esac
"""


@pytest.fixture
def calls(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("bin")
    (folder / "kaggle").write_text(STAND_IN)
    (folder / "kaggle").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(folder / "calls"))
    monkeypatch.setenv("FAILS", "nothing")
    monkeypatch.setenv("KAGGLE_KEY", "0123456789abcdef0123456789abcdef")
    return lambda: (folder / "calls").read_text().splitlines()


def test_push_uploads_the_dataset_waits_for_it_and_pushes_the_notebook(exported, calls):
    assert is_configured() is None
    waited = []
    run(push_calls(exported), waited.append)
    code, notebook = folder_of("one") / "code", folder_of("one") / "notebook"
    assert calls()[1:] == [
        f"datasets create -p {code} --keep-tabular",
        *["datasets status ann/podium-code-one"] * 2,
        f"kernels push -p {notebook} -t {exported.timeout_s}",
    ]
    assert waited == [LOOK_S]
    assert json.loads((notebook / "kernel-metadata.json").read_text())["dataset_sources"] == ["ann/podium-code-one"]


def test_a_dataset_that_exists_gets_a_version(exported, calls, monkeypatch):
    monkeypatch.setenv("FAILS", "datasets create")
    run(push_calls(exported), lambda _: None)
    assert calls()[1].startswith("datasets version -p") and f"attempt {exported.attempt_id}" in calls()[1]
    assert calls()[-1].startswith("kernels push")


def test_a_dataset_that_is_never_ready_ends_in_one_line(exported, calls):
    *_, status, _ = push_calls(exported)
    with pytest.raises(PodiumError, match=r"did not say 'never' within 1800 s; push again later"):
        run([Call(status.arguments, until="never")], lambda _: None)
    assert len(calls()) == MOST_LOOKS + 1


def test_a_failure_is_its_last_line_without_the_key(exported, calls, monkeypatch):
    monkeypatch.setenv("FAILS", "kernels push")
    with pytest.raises(PodiumError, match=r"`kaggle kernels push .*` failed .*409 Client Error") as raised:
        run(push_calls(exported), lambda _: None)
    assert "0123456789abcdef" not in str(raised.value)
    assert calls()[-1].startswith("kernels push")


def test_status_and_pull(exported, calls, tmp_path):
    assert run(status_calls(exported)) == 'ann/podium-one has status "complete"'
    run(pull_calls(exported, tmp_path))
    assert calls()[-1].startswith(f"kernels output ann/podium-one -p {tmp_path}")


def test_without_a_key_it_is_not_configured(calls, monkeypatch):
    monkeypatch.setenv("CONFIGURED", "1")
    assert "is not configured" in (is_configured() or "")
    assert calls() == ["config view"]
