"""The line by which an editor finds the JSON Schema of a YAML file, completes its keys and checks them."""

from podium.core.paths import shipped

SCHEMAS = "podium/core/schemas"


def schema_line(kind: str) -> str:
    """`# yaml-language-server: $schema=...` with its line break, for a file of this kind, such as `search_space`.

    Empty if Podium has no schema of that kind.
    """
    file = shipped() / SCHEMAS / f"{kind}.schema.json"
    return f"# yaml-language-server: $schema={file.as_uri()}\n" if file.is_file() else ""
