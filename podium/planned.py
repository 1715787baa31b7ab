"""What `podium plan` plans: the configs of a config file, a space, a study or a submission."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from podium.core.config import RunConfig, load_config, load_yaml
from podium.core.errors import UsageError
from podium.core.paths import check_name, find_file, is_there, study_dir, submission_dir
from podium.core.records import Prompt
from podium.core.resolved import open_keys
from podium.core.wording import counted
from tuning.search.programs import distinct_programs
from tuning.search.space import SearchSpace


@dataclass(frozen=True)
class Planned:
    """Configs with different programs; `note` says which ones of a space they are."""

    configs: list[RunConfig]
    note: str | None = None

    def prompts(self, config: RunConfig) -> Sequence[Prompt]:
        """The prompts that sizes follow from; none if every size is a number."""
        if not open_keys(config):
            return ()
        from eval.sets.evalset import load_evalset

        return load_evalset(config.eval.evalset).samples


def find_planned(what: str, overrides: Mapping[str, Any], most: int) -> Planned:
    """The configs that `what` names, with overrides; of a space, at most `most` with different programs.

    Raises:
        UsageError: nothing has that name, or its file is wrong.
    """
    if what.endswith((".yaml", ".yml")):
        file = find_file(what)
        if "parameters" not in load_yaml(file):
            return Planned([load_config(file, overrides)])
        from tuning.search.load import load_space

        return _of_space(load_space(file), overrides, most)
    if is_there(study_dir(check_name(what, "study"))):
        from tuning.study.study import find_study, load_study_space

        return _of_space(load_study_space(find_study(what)), overrides, most)
    if is_there(submission_dir(what)):
        from podium.submission.lock import read_lock

        return Planned([RunConfig.parse(read_lock(what).config, what).with_overrides(overrides, "--set")])
    raise UsageError(f"{what!r} is no config or space (a .yaml file), study or submission; check the name")


def _of_space(space: SearchSpace, overrides: Mapping[str, Any], most: int) -> Planned:
    configs, all_of_them = distinct_programs(space, most)
    rest = "all that its trials can have" if all_of_them else "the corners first; --most compiles more"
    note = f"{space.name}: {counted(len(configs), 'set')} of programs, {rest}"
    return Planned([config.with_overrides(overrides, "--set") for config in configs], note)
