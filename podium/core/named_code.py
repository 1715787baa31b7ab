"""Code of the user's that a file or a call names: `pkg.module:function`. Importing it runs it."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError
from podium.core.hashing import sha256_file
from podium.core.paths import home
from podium.core.redaction import named_line, shown


def import_named(path: str, where: str) -> Callable[..., Any]:
    """The function or class at `pkg.module:name`. Modules are looked up in home, too, after the installed ones.

    Raises:
        UsageError: it begins with `where`: the path has another form, there is no such module or name, the module
            raises, or what it names cannot be called.
    """
    module_name, _, name = path.partition(":")
    if not (name.isidentifier() and all(part.isidentifier() for part in module_name.split("."))):
        raise UsageError(f"{where}={shown(path)}, must be like pkg.module:name")
    if str(home()) not in sys.path:
        sys.path.append(str(home()))
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module_name}.".startswith(f"{error.name}."):
            rule = f"there is no module {error.name} in {home()} or among the installed packages"
            raise UsageError(f"{where}={path!r}: {rule}; check the path") from None
        raise UsageError(f"{where}={path!r}: importing {module_name} raised {named_line(error)}") from error
    found: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(found):
        what = f"is {shown(found)}, must be a function" if hasattr(module, name) else "is missing"
        raise UsageError(f"{where}={path!r}: {name} in {module.__file__ or module_name} {what}; check the path")
    return found


def source_sha256(function: Callable[..., Any]) -> str | None:
    """The hash of the file that defines a function; None if there is none, as in a notebook."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return None
    return sha256_file(Path(file)) if file and Path(file).is_file() else None
