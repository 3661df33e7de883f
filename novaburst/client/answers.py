"""What the API says about images and batches, as values."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """One image as the web tier sees it now."""

    # None for a file that never reached the web tier.
    id: str | None
    name: str
    # "pending", "done" or "failed".
    state: str
    label: str | None
    # Softmax probability of the label, 0 to 1.
    score: float | None
    # Code and words of the error, when it failed.
    error: str | None
    detail: str | None
    # The image object of the API, whole.
    raw: dict[str, Any]

    @classmethod
    def of(cls, image: dict[str, Any]) -> Self:
        """The answer in an image object of the API."""
        error = image.get("error") or {}
        return cls(
            id=image.get("id"),
            name=image["name"],
            state=image["state"],
            label=image.get("label"),
            score=image.get("score"),
            error=error.get("code"),
            detail=_as_sentences(error.get("detail"), error.get("remedy")),
            raw=image,
        )


@dataclass(frozen=True)
class Batch:
    """A batch and its images by outcome."""

    id: str
    # The address at which a person sees it.
    page: str
    # When it was made, ISO 8601 in UTC.
    created: str
    total: int
    # With a label; without one.
    done: int
    failed: int
    pending: int
    # Whether images are still being added to it: those that lie under a prefix are, in the background.
    filling: bool = False

    @property
    def answered(self) -> int:
        """Images that wait for nothing any more."""
        return self.done + self.failed

    @property
    def complete(self) -> bool:
        """Whether every image is there and has its answer."""
        return not self.pending and not self.filling


def _as_sentences(*words: str | None) -> str | None:
    said = list(filter(None, words))
    # What was seen of an image is a phrase, or whatever its decoder said of it.
    ended = [part if part.endswith((".", "!", "?")) else f"{part}." for part in said[:-1]]
    return " ".join([*ended, *said[-1:]]) or None
