"""The JSON Schemas of the YAML files that a user writes, with which an editor completes their keys and checks them.

`python -m podium.schemas` writes them from the code, and a test compares them with it.
"""

from pathlib import Path

KINDS = ("run_config", "search_space", "profiles")
FOLDER = Path(__file__).parent


def schema_path(kind: str) -> Path:
    """Where the schema of a kind of file lies: `run_config`, `search_space` or `profiles`."""
    return FOLDER / f"{kind}.schema.json"


def schema_line(kind: str) -> str:
    """The first line of a file of that kind, by which an editor with the YAML language server finds the schema."""
    return f"# yaml-language-server: $schema={schema_path(kind).as_uri()}\n"
