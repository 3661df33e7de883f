"""The last evaluations asked for through this web tier, in the store's file, since each process must know them."""

import json
from dataclasses import asdict, dataclass

from web_tier.database import Database
from web_tier.scaling import Evaluated

_KEPT = 20


@dataclass(frozen=True)
class Evaluation:
    """What anybody may know of an evaluation: numbers and the reason, not who asked nor AWS's own error texts."""

    # When queue and fleet were observed, in ISO 8601.
    at: str
    via: str
    reason: str
    want: int
    have: int
    # How many instances were launched, terminated and so on, and how many failures there were; only what is not zero.
    did: dict[str, int]

    @classmethod
    def of(cls, evaluated: Evaluated) -> "Evaluation":
        """The public part."""
        plan, outcome = evaluated.report["plan"], evaluated.report["outcome"]
        return cls(
            at=evaluated.report["observed"]["at"],
            via=evaluated.via,
            reason=plan["reason"],
            want=plan["want"],
            have=plan["have"],
            did={name: len(items) for name, items in outcome.items() if items},
        )


class Evaluations:
    """A short list that forgets its oldest. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, evaluation: Evaluation) -> None:
        """Enter the newest."""
        with self._database.writing() as db:
            db.execute("INSERT INTO evaluations (entry) VALUES (?)", (json.dumps(asdict(evaluation)),))
            db.execute("DELETE FROM evaluations WHERE number <= (SELECT max(number) FROM evaluations) - ?", (_KEPT,))

    def latest(self) -> list[Evaluation]:
        """All that are kept, the newest first."""
        with self._database.reading() as db:
            rows = db.execute("SELECT entry FROM evaluations ORDER BY number DESC").fetchall()
        return [Evaluation(**json.loads(row[0])) for row in rows]
