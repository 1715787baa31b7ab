"""Reads and writes trainsets: folders with `manifest.json` and `traces.jsonl`."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from podium.core import records
from podium.core.errors import UsageError
from podium.core.files import to_line, write_json, write_parts
from podium.core.hashing import sha256_file_cached
from podium.core.records import Example, TrainsetManifest, example_row, read_record
from trainer.data.importers import VERSION as IMPORT_VERSION
from trainer.recipes import SEED, TRAINSETS, trainset_recipe


def build_trainset(name: str, folder: Path, seed: int = SEED) -> TrainsetManifest:
    """Write the trainset of the recipe `name` to `folder`. The same seed gives the same bytes. Raises UsageError."""
    recipe = trainset_recipe(name)
    return write_trainset(folder, recipe.traces(seed), name=name, recipe=name, recipe_version=recipe.version, seed=seed)


def import_trainset(
    examples: Iterable[Example], format: str, folder: Path, *, name: str, replace: bool = False
) -> TrainsetManifest:
    """Write a trainset to `folder` from examples of the user's files; `format` is the name of their format.

    Raises:
        UsageError: the folder already exists, `name` is a recipe's, or as `examples` raises it; nothing is written.
    """
    check_name(name, folder, replace)
    return write_trainset(
        folder, examples, name=name, recipe=f"import:{format}", recipe_version=IMPORT_VERSION, seed=None
    )


def check_name(name: str, folder: Path, replace: bool) -> None:
    """Raises UsageError if `name` is a recipe's, or if the folder already exists and `replace` is not set."""
    if name in TRAINSETS:
        raise UsageError(f"trainset name {name!r} is the name of a recipe; choose another name")
    if folder.exists() and not replace:
        raise UsageError(f"trainset {name!r} already exists ({folder}); choose another name, or pass --replace")


def write_trainset(
    folder: Path, examples: Iterable[Example], *, name: str, recipe: str, recipe_version: str, seed: int | None
) -> TrainsetManifest:
    """Write both files, the manifest last, so that a folder with a manifest is complete.

    Raises:
        UsageError: as `examples` raises it; nothing is written.
    """
    lines, categories, digest = [], Counter[str](), hashlib.sha256()
    for example in examples:
        # All lines are made before the first is written, and they take less memory than the examples.
        lines.append(to_line(example_row(example)).encode("utf-8"))
        digest.update(lines[-1])
        categories[str(example.meta.get("category", recipe))] += 1
    manifest = TrainsetManifest(
        name=name,
        recipe=recipe,
        recipe_version=recipe_version,
        seed=seed,
        count=len(lines),
        composition=dict(sorted(categories.items())),
        sha256=digest.hexdigest(),
    )
    write_parts(folder / "traces.jsonl", lines)
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


def iter_examples(folder: Path) -> Iterator[Example]:
    """The examples in order. Raises UsageError as `read_manifest` does, or if a line is malformed or there are none."""
    read_manifest(folder)
    path, n_read = folder / "traces.jsonl", 0
    for n_read, example in enumerate(records.iter_examples(path), start=1):  # noqa: B007
        yield example
    if not n_read:
        raise UsageError(f"{path} holds no examples; build or import the trainset again")
