"""From the network's logits to the classes it holds most likely."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from novaburst.contract import Guess

TOP = 5


def top_guesses(logits: NDArray[np.float32], labels: Sequence[str]) -> tuple[Guess, ...]:
    """The up to five most likely classes of one image, the likeliest first, with softmax probabilities (6 decimals).

    Raises:
        ValueError: the logits are not one finite number a label.
    """
    if logits.shape != (len(labels),) or not np.isfinite(logits).all():
        raise ValueError(f"the network gave logits of shape {logits.shape}, not {len(labels)} finite numbers")
    exponentials = np.exp(logits.astype(np.float64) - float(logits.max()))
    scores = exponentials / exponentials.sum()
    # Only those that can be among the best are put in order: sorting all costs as much as five of these steps.
    candidates = (
        np.flatnonzero(logits >= np.partition(logits, -TOP)[-TOP]) if len(logits) > TOP else np.arange(len(logits))
    )
    best = candidates[np.argsort(-logits[candidates], kind="stable")][:TOP]
    return tuple(Guess(label=labels[index], score=round(float(scores[index]), 6)) for index in best)
