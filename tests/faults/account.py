"""What a run must leave: every file answered once and rightly, and nothing else anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from novaburst.contract import Result
from novaburst.objects import Bucket
from novaburst.queues import Depth
from tests.faults.crowd import Taken


@dataclass
class Account:
    """What was wrong, in words; empty when all is well."""

    faults: list[str] = field(default_factory=list)

    def answers(self, taken: Taken, images: Sequence[Mapping[str, Any]]) -> None:
        """One request's files against the images of its batch, and the answers that it got on the way."""
        self.faults += [f"{taken.batch_url} was refused with {words}" for words in taken.rude]
        names = sorted(image["name"] for image in images)
        if names != sorted(file.name for file in taken.files):
            self.faults.append(f"{taken.batch_url} holds {names}, not {[file.name for file in taken.files]}")
            return
        expected = {file.name: file.answer for file in taken.files}
        for image in images:
            seen = image["error"]["code"] if image["error"] else image["label"]
            if seen != expected[image["name"]]:
                self.faults.append(f"{image['name']} ({image['id']}) is {seen!r}, not {expected[image['name']]!r}")

    def objects(self, kind: str, bucket: Bucket, wanted: set[str]) -> set[str]:
        """A bucket's keys against those that it must hold; those of them that it has."""
        found = set(bucket.keys())
        if missing := wanted - found:
            self.faults.append(f"{kind} {bucket.name} lacks {sorted(missing)}")
        if more := found - wanted:
            self.faults.append(f"{kind} {bucket.name} also holds {sorted(more)}")
        return found & wanted

    def queue(self, name: str, depth: Depth) -> None:
        """A queue that must be empty."""
        if depth.backlog:
            self.faults.append(f"{name} still holds {depth}")

    def instances(self, most: int, maximum: int, left: int) -> None:
        """The fleet at its largest and at the end."""
        if most > maximum:
            self.faults.append(f"{most} instances at once, more than {maximum}")
        if left:
            self.faults.append(f"{left} instances left at the end")


def contradicts(stored: Result, image: Mapping[str, Any]) -> bool:
    """Whether the stored result, which is the truth, says something else than the web tier."""
    error = image["error"] and image["error"]["code"]
    return (stored.label, stored.error and stored.error.code) != (image["label"], error)
