"""Reads and writes trainsets: folders with `manifest.json` and `traces.jsonl`."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from podium.core import records
from podium.core.errors import UsageError
from podium.core.files import to_line, write_json, write_text
from podium.core.hashing import sha256_bytes, sha256_file_cached
from podium.core.records import Example, TrainsetManifest, example_row, read_record
from trainer.data.importers import VERSION as IMPORT_VERSION
from trainer.data.importers import import_traces
from trainer.recipes import SEED, TRAINSETS, trainset_recipe


def build_trainset(name: str, folder: Path, seed: int = SEED) -> TrainsetManifest:
    """Write the trainset of the recipe `name` to `folder`. The same seed gives the same bytes. Raises UsageError."""
    recipe = trainset_recipe(name)
    return write_trainset(folder, recipe.traces(seed), name=name, recipe=name, recipe_version=recipe.version, seed=seed)


def import_trainset(path: Path, layout: str, folder: Path, *, name: str, replace: bool = False) -> TrainsetManifest:
    """Write a trainset to `folder` from the user's JSONL file.

    Raises:
        UsageError: a line is invalid (nothing is written), the folder already exists, or `name` is a recipe's.
    """
    check_name(name, folder, replace)
    traces = import_traces(path, layout)
    return write_trainset(
        folder, traces, name=name, recipe=f"import:{layout}", recipe_version=IMPORT_VERSION, seed=None
    )


def check_name(name: str, folder: Path, replace: bool) -> None:
    """Raises UsageError if `name` is a recipe's, or if the folder already exists and `replace` is not set."""
    if name in TRAINSETS:
        raise UsageError(f"trainset name {name!r} is the name of a recipe; choose another name")
    if folder.exists() and not replace:
        raise UsageError(f"trainset {name!r} already exists ({folder}); choose another name, or pass --replace")


def write_trainset(
    folder: Path, examples: Sequence[Example], *, name: str, recipe: str, recipe_version: str, seed: int | None
) -> TrainsetManifest:
    """Write both files, the manifest last, so that a folder with a manifest is complete."""
    text = "".join(to_line(example_row(example)) for example in examples)
    manifest = TrainsetManifest(
        name=name,
        recipe=recipe,
        recipe_version=recipe_version,
        seed=seed,
        count=len(examples),
        composition=dict(sorted(Counter(str(example.meta.get("category", recipe)) for example in examples).items())),
        sha256=sha256_bytes(text.encode("utf-8")),
    )
    write_text(folder / "traces.jsonl", text)
    write_json(folder / "manifest.json", manifest.model_dump(mode="json"))
    return manifest


def read_manifest(folder: Path) -> TrainsetManifest:
    """Raises UsageError if it is missing or malformed, or if traces.jsonl does not match it."""
    manifest = read_record(TrainsetManifest, folder / "manifest.json")
    found = sha256_file_cached(folder / "traces.jsonl")
    if found != manifest.sha256:
        raise UsageError(
            f"{folder / 'traces.jsonl'}: sha256 is {found[:12]}..., the manifest says {manifest.sha256[:12]}...; "
            f"the file was changed: build or import the trainset again"
        )
    return manifest


def read_examples(folder: Path) -> list[Example]:
    """Every example. Raises UsageError as `iter_examples` does."""
    return list(iter_examples(folder))


def iter_examples(folder: Path) -> Iterator[Example]:
    """The examples in order. Raises UsageError as `read_manifest` does, or if a line is malformed or there are none."""
    read_manifest(folder)
    path, n_read = folder / "traces.jsonl", 0
    for n_read, example in enumerate(records.iter_examples(path), start=1):  # noqa: B007
        yield example
    if not n_read:
        raise UsageError(f"{path} holds no examples; build or import the trainset again")
