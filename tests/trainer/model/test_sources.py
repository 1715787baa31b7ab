"""Where a model's files are found, and what is said when they are not."""

import sys
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import huggingface_hub.constants
import pytest
from huggingface_hub.errors import GatedRepoError

from podium.core.config_sections import ModelConfig
from podium.core.errors import PodiumError, UsageError
from trainer.model.sources import TINY, find_files, model_files


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("{}")
    return folder


def find(source: Path | str, tokenizer: Path | str | None = None) -> tuple[Path, Path]:
    return find_files(ModelConfig(source=str(source), tokenizer=None if tokenizer is None else str(tokenizer)))


def test_tiny_is_with_podium() -> None:
    assert find("tiny") == (TINY, TINY)
    assert model_files(TINY) == [TINY / "config.json"]


def test_one_folder_with_everything(tmp_path: Path) -> None:
    put(tmp_path, "config.json", "tokenizer.json")
    assert find(tmp_path) == (tmp_path, tmp_path)


def test_model_and_tokenizer_in_folders_of_their_own(tmp_path: Path) -> None:
    model, tokenizer = put(tmp_path / "model", "config.json"), put(tmp_path / "tokenizer", "tokenizer.model")
    assert find(tmp_path) == (model, tokenizer)  # the folder above both
    assert find(model) == (model, tokenizer)  # side by side
    assert find(model, tokenizer) == (model, tokenizer)


def test_a_tokenizer_that_is_named_comes_first(tmp_path: Path) -> None:
    model = put(tmp_path / "all", "config.json", "tokenizer.json")
    other = put(tmp_path / "other" / "tokenizer", "tokenizer.json")
    assert find(model, other.parent) == (model, other)
    assert find("tiny", other) == (TINY, other)


def test_the_missing_file_is_named_with_its_places(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find(tmp_path)
    places = f"{tmp_path}, {tmp_path / 'model'}"
    assert str(caught.value) == f"config.json is missing (looked in {places}); give the model's folder as model.source"
    put(tmp_path / "model", "config.json")
    with pytest.raises(UsageError) as caught:
        find(tmp_path)
    places = f"{tmp_path / 'model'}, {tmp_path / 'tokenizer'}"
    rule = "give the tokenizer's folder as model.tokenizer"
    assert str(caught.value) == f"tokenizer.json or tokenizer.model is missing (looked in {places}); {rule}"


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^model\.source='.*/nowhere': the folder does not exist; check the path"):
        find(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"^model\.tokenizer='.*/nowhere': the folder does not exist; check the path"):
        find("tiny", tmp_path / "nowhere")


@pytest.mark.parametrize("source", ["tiny", "folder", "kaggle:google/gemma-3/flax/1b"])
def test_a_revision_of_what_has_none_is_refused(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "folder", "config.json", "tokenizer.json")
    with pytest.raises(UsageError, match=f"^model.revision='v2' with model.source='{source}': only a hub id has"):
        find_files(ModelConfig(source=source, revision="v2"))


def test_every_weight_file_counts(tmp_path: Path) -> None:
    put(tmp_path, "config.json", "b.safetensors", "a.safetensors")
    index = '{"weight_map": {"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"}}'
    (tmp_path / "model.safetensors.index.json").write_text(index)
    names = [path.name for path in model_files(tmp_path)]
    assert names == ["config.json", "model.safetensors.index.json", "a.safetensors", "b.safetensors"]


def test_a_hub_id_is_taken_from_the_hubs_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "models--some--model"
    snapshot = put(cached / "snapshots" / commit, "config.json", "tokenizer.json", "model.safetensors")
    put(cached / "refs")
    (cached / "refs" / "v2").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert find_files(ModelConfig(source="some/model", revision="v2")) == (snapshot, snapshot)
    with pytest.raises(PodiumError, match=r"^model\.source='some/other': no such folder exists, the hub's") as caught:
        find("some/other")
    assert "switch the internet on and unset HF_HUB_OFFLINE, or give a folder that holds the files" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_source_that_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError) as caught:
        find("a/b/c")
    rule = "must be tiny, a folder that exists, a hub id like google/gemma-3-1b-it, or kaggle:HANDLE"
    assert str(caught.value) == f"model.source='a/b/c', {rule}"


def test_kaggle_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(UsageError) as caught:
        find("kaggle:google/gemma-3/flax/1b")
    assert "needs the package kagglehub: `.venv/bin/pip install -e '.[kaggle]'`, or give the mounted folder" in str(
        caught.value
    )


def test_a_kaggle_handle_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kaggle itself is out of reach here; the package is stood in for by its one function."""
    put(tmp_path, "config.json", "tokenizer.json")
    asked = []

    def download(handle: str) -> str:
        asked.append(handle)
        if handle == "bad":
            raise ValueError("Invalid model handle: bad")
        if handle == "gone":
            raise ConnectionError("no route\nto host")
        return str(tmp_path)

    monkeypatch.setitem(sys.modules, "kagglehub", SimpleNamespace(model_download=download))
    assert find("kaggle:google/gemma/flax/2b") == (tmp_path, tmp_path)
    assert asked == ["google/gemma/flax/2b"]
    with pytest.raises(UsageError, match=r"model\.source='kaggle:bad': Invalid model handle: bad"):
        find("kaggle:bad")
    with pytest.raises(PodiumError, match=r"Kaggle did not serve it \(no route to host\)"):
        find("kaggle:gone")


@pytest.mark.parametrize(("token", "todo"), [("hf_of_someone", "accept its terms"), (None, "set HF_TOKEN")])
def test_a_gated_model_needs_a_token(token: str | None, todo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is out of reach here; it is stood in for by the error with which it refuses."""

    def refuse(*_: object, **__: object) -> None:
        raise GatedRepoError("403", response=SimpleNamespace(headers={}, request=None))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: token)
    with pytest.raises(PodiumError, match=f"^model.source='a/b': the model is gated, and the hub refused it; {todo}"):
        find("a/b")
