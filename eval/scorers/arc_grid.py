"""`arc_grid`: the text ends in the output grid; the two grids with most votes are the attempts."""

from collections import Counter
from collections.abc import Sequence

from eval.arc.grids import Grid, parse_grid
from eval.scorers.arc import AnsweredPrompt, ArcScorer, Attempts
from podium.core.records import Prediction


class ArcGridScorer(ArcScorer):
    name = "arc_grid"
    version = "1"

    def attempts(self, items: Sequence[AnsweredPrompt]) -> list[Attempts]:
        return [_attempts(predictions) for _, predictions in items]


def _attempts(predictions: Sequence[Prediction]) -> Attempts:
    grids: dict[str, Grid] = {}
    votes: Counter[str] = Counter()
    problems = []
    for prediction in predictions:
        try:
            grid = parse_grid(prediction.text)
        except ValueError as error:
            problems.append(str(error))
            continue
        grids[str(grid)] = grid
        votes[str(grid)] += 1
    chosen = votes.most_common(2)  # in a tie, the first prediction wins
    said = [f"{count} of {len(predictions)} predictions" for _, count in chosen]
    return Attempts([grids[key] for key, _ in chosen], ", ".join(said) or problems[0])
