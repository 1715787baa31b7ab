"""How a prompt and a trace become text: the one place that knows the layout a model learns and is asked in."""

from podium.core.records import ReasoningTrace


def prompt_text(prompt: str) -> str:
    """What the model reads, and what is masked out of the loss."""
    return f"{prompt}\n"


def completion_text(trace: ReasoningTrace) -> str:
    """What the model learns to write: the steps' contents, a line each, then the answer in `<answer>` tags."""
    return "\n".join([*(step.content for step in trace.steps), f"<answer>{trace.final_answer}</answer>"])
