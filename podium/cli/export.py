"""`podium export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from podium.core.run_files import CONFIG


def export(
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="Folder of a run, with config and checkpoints.")],
    to: Annotated[Path, typer.Option("--out", metavar="DIR", help="Hugging Face folder to write.")],
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(metavar="DTYPE", help="float32, bfloat16 or float16; default: that of the model's own files."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="auto, cpu, gpu or tpu; no fallback to another.")
    ] = None,
) -> None:
    """Export a trained run as a Hugging Face folder: weights with merged adapters, configs and tokenizer."""
    from podium.core.config import load_config
    from podium.core.resolved import resolved

    config = load_config(run / CONFIG, {"device.kind": device} if device else None)
    from trainer.device.devices import select

    select(config.device)
    from trainer.device.memory import gb
    from trainer.export import export_run
    from trainer.programs.library import ProgramLibrary

    library = ProgramLibrary()
    step, written = export_run(resolved(config), run, to, library, dtype)
    how = f", adapters of rank {config.lora.rank} merged" if config.lora.enabled else ""
    size = gb(sum(file.stat().st_size for file in to.glob("*.safetensors")))
    typer.echo(f"{library.base(config).model_id} from {run} at step {step}{how}; {size} of {written} weights in {to}")
