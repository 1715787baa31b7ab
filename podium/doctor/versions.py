"""Python and the libraries, against what Podium's own metadata asks for."""

import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from podium.core.provenance import library_versions
from podium.core.wording import named
from podium.doctor.finding import Finding

FIX = "run `make setup`, which installs the pinned versions"


def python(running: str | None = None) -> Iterator[Finding]:
    from packaging.specifiers import SpecifierSet

    running = running or platform.python_version()
    wanted = metadata("podium")["Requires-Python"] or ""
    if running in SpecifierSet(wanted):
        yield Finding.ok("python", f"{running} on {platform.platform(terse=True)}")
    else:
        yield Finding.broken("python", f"{running}, must be {wanted}", "install such a Python, then run `make setup`")


def libraries(wanted: Sequence[str] | None = None) -> Iterator[Finding]:
    """`wanted`: requirements such as `jax<0.11`; those of Podium if not given."""
    problems = [problem for text in wanted or requires("podium") or () if (problem := _problem(text))]
    if problems:
        yield Finding.broken("libraries", named(problems, 8), FIX)
    else:
        yield Finding.ok("libraries", ", ".join(f"{name} {found}" for name, found in library_versions().items()))


def _problem(text: str) -> str | None:
    """What is wrong with the installed version of a requirement; None if nothing is, or if an extra asks for it."""
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
        return None
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(installed, prereleases=True):
        return None
    return f"{requirement.name} {installed}, must be {requirement.specifier}"
