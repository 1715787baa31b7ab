"""`Job`: one function of a run to compile for a target, and its place in the cache."""

from functools import cache
from pathlib import Path

from podium.core.config import RunConfig
from podium.core.config_sections import Section
from podium.core.files import read_json, write_json
from podium.core.hashing import sha256_file, sha256_files, sha256_json
from podium.core.paths import find_trainset, workspace
from podium.core.records import Prompt
from podium.core.resolved import open_keys
from trainer.data.trainsets import read_manifest
from trainer.plan.base import find_config
from trainer.plan.program import Program
from trainer.plan.target import Target
from trainer.plan.tools import check_tools
from trainer.programs.compiler import FunctionName

# Keys that functions of training, or of decoding, alone depend on, with a value that stands for all of theirs.
OF_TRAINING = {
    "data.max_seq_len": 64,
    "data.length_buckets": (),
    "train.batch_size": 1,
    "train.gradient_accumulation_steps": 1,
    "train.remat": "full",
}
OF_DECODING = {"generate.batch_size": 1, "generate.max_prompt_tokens": 64, "generate.max_new_tokens": 64}


class Job(Section):
    """Compile `function` in every shape that a run of `config` needs on `target`.

    `prompts`: those that the run answers; needed only if the config leaves a size open.
    """

    config: RunConfig
    target: Target
    function: FunctionName
    prompts: tuple[Prompt, ...] = ()

    @property
    def key(self) -> str:
        """Equal for two jobs that give the same programs."""
        config, left = self.config, open_keys(self.config)
        data = {}
        if left:
            data = {
                "trainset": read_manifest(find_trainset(config.data.trainset)).sha256,
                "data": config.data.model_dump(mode="json"),
                "prompts": [prompt.model_dump(mode="json") for prompt in self.prompts],
            }
        return sha256_json(
            {
                "program_key": self._with_what_matters().program_key,
                "length_buckets": config.data.length_buckets if self.function == "train" else (),
                "device": config.device.model_dump(mode="json"),
                "data": data,
                "model": sha256_file(find_config(config.model) / "config.json"),
                "target": self.target.key,
                "function": self.function,
                "versions": check_tools(self.target.accelerator.kind),
                "code": _code(),
            }
        )

    def _with_what_matters(self) -> RunConfig:
        """The config with one value for each key that the function does not depend on, so that configs share it."""
        fixed = OF_DECODING if self.function in ("init", "train", "loss") else OF_TRAINING
        if self.target.count > 1:  # the batch decides over how many devices a run is divided
            fixed = {key: value for key, value in fixed.items() if key != "train.batch_size"}
        return self.config.with_overrides(fixed)

    def cached(self) -> list[Program] | None:
        """The programs, if they have been compiled before."""
        if not self._file.is_file():
            return None
        return [Program.model_validate(each) for each in read_json(self._file)]

    def keep(self, programs: list[Program]) -> None:
        """Raises PodiumError if the disk refuses the file."""
        write_json(self._file, [program.model_dump(mode="json") for program in programs])

    @property
    def log(self) -> Path:
        """What the compilers say."""
        return self._file.with_suffix(".log")

    @property
    def _file(self) -> Path:
        return workspace() / "cache" / "plan" / f"{self.key[:24]}.json"


@cache
def _code() -> str:
    """A hash of the trainer's code."""
    root = Path(__file__).parents[1]
    return sha256_files(root, root.rglob("*.py"))
