"""Finds a model's files: included in Podium, in a folder, on the Hugging Face hub or on Kaggle. Reads no weights."""

from pathlib import Path

from podium.core.config_sections import ModelConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json
from podium.core.paths import home, is_there, workspace
from podium.core.redaction import one_line, shortened, shown
from trainer.data.tokenizer import TOKENIZER_FILES

TINY = Path(__file__).parents[1] / "tiny"
KAGGLE = "kaggle:"
LOCAL = "local:"  # in a lock, which names no absolute path
MODELS = "models"  # the folder of home and of the workspace that has what `local:` names
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"  # the file of each tensor, for a checkpoint in several files
GENERATION = "generation_config.json"
DESCRIPTION = ("config.json", GENERATION, *TOKENIZER_FILES)
DOWNLOADED = (*DESCRIPTION, "*.safetensors", INDEX)


def find_files(model: ModelConfig) -> tuple[Path, Path]:
    """(folder with config.json and weights, folder with the tokenizer), downloaded if necessary.

    Kaggle mounts the two separately, so `model/` and `tokenizer/` in the folder, or side by side, are found, too.

    Raises:
        UsageError: a file is missing; the message names it and the folders.
        PodiumError: a download failed.
    """
    root = find_folder("model.source", model.source, model.revision)
    folder = config_folder(root)
    if model.tokenizer:
        given = find_folder("model.tokenizer", model.tokenizer, None)
        candidates = [given, given / "tokenizer"]
    else:
        candidates = [folder, root / "tokenizer", folder.parent / "tokenizer"]
    return folder, _first_with(TOKENIZER_FILES[:2], candidates, "give the tokenizer's folder as model.tokenizer")


def config_folder(root: Path) -> Path:
    """The folder with config.json: `root` or `root/model`. Raises UsageError."""
    return _first_with(("config.json",), [root, root / "model"], "give the model's folder as model.source")


def model_files(folder: Path) -> list[Path]:
    """The files that define the model: its config and its weights (tiny has no weight files).

    Raises:
        UsageError: a file is missing; the message names it and its folder.
    """
    index = [folder / INDEX] if (folder / INDEX).is_file() else []
    return [folder / "config.json", *index, *([] if folder == TINY else weight_files(folder))]


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a checkpoint. Raises UsageError as `model_files` does."""
    names = [SINGLE]
    if (folder / INDEX).is_file():
        index = read_json(folder / INDEX)
        if not isinstance(index, dict) or not isinstance(index.get("weight_map"), dict):
            raise UsageError(f"{folder / INDEX}: has no weight_map, so it is corrupt; download the model again")
        found = index["weight_map"].values()
        if wrong := [name for name in found if not isinstance(name, str) or Path(name).name != name or name == ".."]:
            rule = "must hold names of files beside it; download the model again"
            raise UsageError(f"{folder / INDEX}: weight_map holds {shown(wrong[0])}, {rule}")
        names = sorted(set(found))
    for name in names:
        if not (is_there(folder / name) and (folder / name).is_file()):
            raise UsageError(f"{shortened(name, 100)} is missing in {folder}; weights are read from safetensors files")
    return [folder / name for name in names]


def fetch_description(source: str) -> None:
    """Download a hub model's config.json and tokenizer, without its weights; check those of a folder.

    Raises:
        UsageError, PodiumError: as `find_files` does.
    """
    if source.startswith((KAGGLE, LOCAL)):
        return
    if source == "tiny" or Path(source).expanduser().is_dir() or source.startswith(("/", ".", "~")):
        find_files(ModelConfig(source=source))
    else:
        _fetch_from_hub("model.source", source, None, DESCRIPTION)


def find_folder(key: str, source: str, revision: str | None) -> Path:
    """The folder that the config key `key` names by its value `source`.

    That is tiny, a path, kaggle:HANDLE, local:NAME or a hub id.

    Raises:
        UsageError, PodiumError: as `find_files` does.
    """
    folder = TINY if source == "tiny" else Path(source).expanduser().resolve()
    if revision and (folder.is_dir() or source.startswith(KAGGLE)):
        raise UsageError(
            f"model.revision={revision!r} with {key}={source!r}: only a hub id has revisions; leave model.revision out"
        )
    if source.startswith(LOCAL):
        return _find_local(key, source)
    if not source.startswith(KAGGLE) and folder.is_dir():
        return folder
    if (placed := _placed(source)) is not None:
        return placed
    if source.startswith(KAGGLE):
        return _fetch_from_kaggle(key, source)
    if source.startswith(("/", ".", "~")):
        raise UsageError(f"{key}={source!r}: the folder does not exist; check the path")
    return _fetch_from_hub(key, source, revision)


def _find_local(key: str, source: str) -> Path:
    name = source.removeprefix(LOCAL)
    places = [root / MODELS / name for root in (workspace(), home())]
    for place in places:
        if name and Path(name).name == name and place.is_dir():
            return place.resolve()
    searched = ", ".join(map(str, places))
    raise UsageError(f"{key}={source!r}: no such folder (looked for {searched}); link or copy the model's folder there")


def placed_name(source: str) -> str:
    """The folder in models/ that takes the place of a hub id, a Kaggle handle or `local:NAME`: `OWNER--MODEL`."""
    return source.removeprefix(KAGGLE).removeprefix(LOCAL).replace("/", "--")


def _placed(source: str) -> Path | None:
    """The folder that was placed in models/ for a source that would be downloaded: a session may have no internet."""
    if source.startswith(("/", ".", "~")):
        return None
    places = (root / MODELS / placed_name(source) for root in (workspace(), home()))
    return next((place.resolve() for place in places if place.is_dir()), None)


def _first_with(names: tuple[str, ...], folders: list[Path], hint: str) -> Path:
    for folder in folders:
        if any((folder / name).is_file() for name in names):
            return folder
    searched = ", ".join(str(folder) for folder in dict.fromkeys(folders))
    raise UsageError(f"{' or '.join(names)} is missing (looked in {searched}); {hint}")


def _fetch_from_hub(key: str, repo: str, revision: str | None, files: tuple[str, ...] = DOWNLOADED) -> Path:
    """Download a snapshot to the hub's own cache and return its folder. HF_TOKEN holds the token, if one is needed."""
    from huggingface_hub import get_token, snapshot_download
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        GatedRepoError,
        HFValidationError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
    )

    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(files)))
    except HFValidationError as error:
        rule = "must be tiny, a folder that exists, a hub id like google/gemma-3-1b-it, or kaggle:HANDLE"
        raise UsageError(f"{key}={repo!r}, {rule}") from error
    except GatedRepoError as error:
        todo = "accept its terms on the hub with the account of this token" if get_token() else "set HF_TOKEN"
        raise PodiumError(f"{key}={repo!r}: the model is gated, and the hub refused it; {todo}") from error
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        raise PodiumError(
            f"{key}={repo!r}: no such folder exists, the hub's cache does not hold it, and the hub cannot be reached; "
            "switch the internet on and unset HF_HUB_OFFLINE, or give a folder that holds the files"
        ) from error
    except (OSError, HTTPError) as error:  # the hub's own errors are OSErrors
        raise PodiumError(
            f"{key}={repo!r}: no such folder exists, and the hub did not serve it ({one_line(error, 200)}); "
            "check the name and the network, and set HF_TOKEN if the model is gated"
        ) from error


def _fetch_from_kaggle(key: str, source: str) -> Path:
    try:
        import kagglehub
    except ImportError as error:
        raise UsageError(
            f"{key}={source!r} needs the package kagglehub: `.venv/bin/pip install -e '.[kaggle]'`, "
            "or give the mounted folder"
        ) from error
    try:
        return Path(kagglehub.model_download(source.removeprefix(KAGGLE)))
    except ValueError as error:  # a malformed handle
        raise UsageError(f"{key}={source!r}: {one_line(error, 200)}") from error
    except OSError as error:  # the errors of requests are OSErrors
        raise PodiumError(f"{key}={source!r}: Kaggle did not serve it ({one_line(error, 200)})") from error
