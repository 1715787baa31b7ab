"""The rules of a competition, checked before a lock is written and before its one run is claimed."""

import datetime
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from podium.core.budgets.competitions import Competition, load_competition
from podium.core.budgets.profiles import load_profile
from podium.core.budgets.projection import hours
from podium.core.config import RunConfig
from podium.core.errors import UsageError

KAGGLE, LOCAL = "kaggle:", "local:"  # as trainer/model/sources.py reads them
RULES = ("model", "output", "date", "profile", "session")
_ARCHITECTURE = ("model_type", "hidden_size", "num_hidden_layers")


def check_rules(
    config: RunConfig,
    accepted: Collection[str] = (),
    *,
    architecture: Any = None,
    projected_s: float | None = None,
    today: datetime.date | None = None,
) -> dict[str, str]:
    """Check a config against the rules of its `budget.competition`; without one there is nothing to check.

    `accepted`: the rules that the user does not want enforced. `architecture`: the model's config.json, which decides
    if the model is a folder. `projected_s`: the submission's projected wall seconds, if known. Returns what each rule
    in `accepted` would have refused.

    Raises:
        UsageError: a rule is broken and not accepted, or the competition or a rule in `accepted` is unknown.
    """
    if unknown := [rule for rule in accepted if rule not in RULES]:
        raise UsageError(f"--accept {unknown[0]}, must be one of {', '.join(RULES)}")
    if config.budget.competition is None:
        return {}
    competition = load_competition(config.budget.competition)
    today = today or datetime.datetime.now(datetime.UTC).date()
    broken = dict(_broken(config, competition, architecture, projected_s, today))
    refused = [f"{line}, or --accept {rule}" for rule, line in broken.items() if rule not in accepted]
    if len(refused) == 1:
        raise UsageError(refused[0])
    if refused:
        raise UsageError("; ".join(f"({number}) {line}" for number, line in enumerate(refused, start=1)))
    return broken


def check_device(config: RunConfig) -> None:
    """Raises UsageError if the budget profile's machine has no device of the kind that the config asks for."""
    profile, kind = load_profile(config.budget.profile), config.device.kind
    if profile.accelerator is not None and kind not in ("auto", profile.accelerator.kind):
        raise UsageError(
            f"budget.profile={config.budget.profile} with device.kind={kind}: its machine has {profile.count} x "
            f"{profile.accelerator.name}; set device.kind={profile.accelerator.kind}, or another profile"
        )


def _broken(
    config: RunConfig,
    competition: Competition,
    architecture: Any,
    projected_s: float | None,
    today: datetime.date,
) -> Iterator[tuple[str, str]]:
    """Each rule that is broken, with one line about it."""
    title, profile = competition.name, load_profile(config.budget.profile)
    if found := _other_model(config.model.source, competition, architecture):
        yield "model", f"{found}; {title} allows {', '.join(competition.models)}; use one of them"
    cap, tokens = competition.max_new_tokens, config.generate.max_new_tokens
    if cap is not None and tokens != "auto" and tokens > cap:
        yield "output", f"generate.max_new_tokens={tokens}, must be <= {cap} in {title}; lower it"
    if competition.ends is not None and today > competition.ends:
        yield "date", f"{title} ended on {competition.ends}, and today is {today}; choose another competition"
    if competition.profiles and profile.name not in competition.profiles:
        yield "profile", f"budget.profile={profile.name}, must be one of {', '.join(competition.profiles)} in {title}"
    if projected_s is not None and projected_s > profile.session_s:
        yield (
            "session",
            f"training and answers take {hours(projected_s)} where the trial ran, and a session of {profile.name} has "
            f"{hours(profile.session_s)}; train fewer steps or answer fewer times",
        )


def _other_model(source: str, competition: Competition, architecture: Any) -> str | None:
    """What was compared, if the model is none of those that are allowed.

    A folder's name may say anything, so its config.json decides. The name of a hub's model is compared with the names
    that are allowed, its owner included; Kaggle names the same model `google/gemma-2/flax/gemma2-2b-it`.
    """
    if not competition.models or source in competition.models:
        return None
    if isinstance(architecture, Mapping) and _is_folder(source):
        found = _shape(architecture)
        if found in [_shape(allowed) for allowed in competition.architectures]:
            return None
        return f"model.source={source!r} has {', '.join(f'{key} {value}' for key, value in found.items())}"
    name = source.removeprefix(KAGGLE)
    if _name(name) in map(_name, competition.models):
        return None
    return f"model.source={source!r}, compared by its name"


def _is_folder(source: str) -> bool:
    return not source.startswith(KAGGLE) and (source.startswith(LOCAL) or Path(source).expanduser().is_dir())


def _shape(architecture: Mapping[str, Any]) -> dict[str, Any]:
    text = architecture.get("text_config")  # of a model that also reads images
    return {key: (text if isinstance(text, Mapping) else architecture).get(key) for key in _ARCHITECTURE}


def _name(name: str) -> tuple[str, str]:
    """(owner, model) without punctuation: `google/gemma-2-2b-it` and `google/gemma-2/flax/gemma2-2b-it/1` are equal."""
    owner, *rest = name.lower().split("/")
    words = [word for word in rest if not word.isdecimal()]  # a version
    return owner, re.sub(r"[^a-z0-9]", "", words[-1]) if words else ""
