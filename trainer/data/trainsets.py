"""A trainset on disk: a folder with `manifest.json` and `traces.jsonl`."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.files import to_line, write_json, write_text
from podium.core.hashing import sha256_bytes, sha256_file_cached
from podium.core.records import ReasoningTrace, TrainsetManifest, read_record, read_records
from trainer.data.importers import VERSION as IMPORT_VERSION
from trainer.data.importers import import_traces
from trainer.recipes import SEED, TRAINSETS, trainset_recipe


def build_trainset(name: str, folder: Path, seed: int = SEED) -> TrainsetManifest:
    """Fill `folder` by the recipe `name`; the same seed gives the same bytes. Raises UsageError: unknown recipe."""
    recipe = trainset_recipe(name)
    return write_trainset(folder, recipe.traces(seed), name=name, recipe=name, recipe_version=recipe.version, seed=seed)


def import_trainset(path: Path, layout: str, folder: Path, *, name: str, replace: bool = False) -> TrainsetManifest:
    """Fill `folder` from a JSONL file of the user's.

    Raises:
        UsageError: a bad line (nothing is written), a folder that is there already, or the name of a recipe.
    """
    refuse_taken(name, folder, replace)
    traces = import_traces(path, layout)
    return write_trainset(
        folder, traces, name=name, recipe=f"import:{layout}", recipe_version=IMPORT_VERSION, seed=None
    )


def refuse_taken(name: str, folder: Path, replace: bool) -> None:
    """Raises UsageError if `name` cannot be that of a trainset of the user's own."""
    if name in TRAINSETS:
        raise UsageError(f"trainset name {name!r} is the name of a recipe; choose another name")
    if folder.exists() and not replace:
        raise UsageError(f"trainset {name!r} already exists ({folder}); choose another name, or pass --replace")


def write_trainset(
    folder: Path, traces: Sequence[ReasoningTrace], *, name: str, recipe: str, recipe_version: str, seed: int | None
) -> TrainsetManifest:
    """Write both files, the manifest last: with it, the trainset is whole."""
    text = "".join(to_line(trace.model_dump(mode="json")) for trace in traces)
    manifest = TrainsetManifest(
        name=name,
        recipe=recipe,
        recipe_version=recipe_version,
        seed=seed,
        count=len(traces),
        composition=dict(sorted(Counter(str(trace.meta.get("category", recipe)) for trace in traces).items())),
        sha256=sha256_bytes(text.encode("utf-8")),
    )
    write_text(folder / "traces.jsonl", text)
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return manifest


def read_manifest(folder: Path) -> TrainsetManifest:
    """Raises UsageError when it is missing or malformed, or when traces.jsonl is not what it describes."""
    manifest = read_record(TrainsetManifest, folder / "manifest.json")
    found = sha256_file_cached(folder / "traces.jsonl")
    if found != manifest.sha256:
        raise UsageError(
            f"{folder / 'traces.jsonl'}: sha256 is {found[:12]}..., the manifest says {manifest.sha256[:12]}...; "
            f"the file was changed: build or import the trainset again"
        )
    return manifest


def read_traces(folder: Path) -> list[ReasoningTrace]:
    """Every trace, checked. Raises UsageError as `read_manifest` does, and for a malformed line or no traces."""
    read_manifest(folder)
    traces = read_records(ReasoningTrace, folder / "traces.jsonl")
    if not traces:
        raise UsageError(f"{folder / 'traces.jsonl'} holds no traces; build or import the trainset again")
    return traces
