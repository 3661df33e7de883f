"""The fleet over time: samples for charts, and the last decisions, in the store's file for all processes."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from scaling_lambda.fleet import Observation, State
from scaling_lambda.policy import Plan
from web_tier.database import Database
from web_tier.images import moment

# Samples that are kept: an hour of a busy fleet, or half a day of a quiet one.
_SAMPLES = 720
_DECISIONS = 50
# No two samples lie further apart unless the web tier was down; what happened then is not known, and not billed here.
_LONGEST_GAP_SECONDS = 120.0


@dataclass(frozen=True)
class Sample:
    """Queue and fleet at one moment, in seconds since the epoch."""

    at: float
    backlog: int
    in_flight: int
    # Instances that boot, that run, and that are wanted.
    pending: int
    running: int
    want: int
    # Images answered in the minute before.
    images_a_minute: int
    # US dollars: an hour of these instances, and all since the fleet was last at rest; None where a price is unknown.
    cost_per_hour: float | None
    spent: float | None

    @property
    def at_rest(self) -> bool:
        """Whether nothing is there to do and nobody to do it."""
        return not (self.backlog or self.pending or self.running)

    def as_json(self) -> dict[str, Any]:
        """The sample as the API shows it."""
        return asdict(self) | {"at": moment(self.at)}


@dataclass(frozen=True)
class Decision:
    """What the scaling rule came to, and why, at a moment in seconds since the epoch."""

    at: float
    want: int
    have: int
    launch: int
    start: int
    terminate: int
    reason: str
    # Sent away now or a moment ago; entries of older versions have none.
    leave: int = 0

    def as_json(self) -> dict[str, Any]:
        """The decision as the API shows it."""
        return asdict(self) | {"at": moment(self.at)}

    def differs(self, before: "Decision | None") -> bool:
        """Whether it is another decision, rather than the same one on new counts."""
        return before is None or _numbers(self) != _numbers(before)


class History:
    """A bounded record that forgets its oldest. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, now: float, period_seconds: float) -> bool:
        """Whether a period has passed since the last sample, which is then the caller's to take."""
        # A sample later than now is of a clock that was ahead: its time is not waited for.
        begin, end = now - period_seconds, now + period_seconds
        with self._database.reading() as db:
            if db.execute("SELECT 1 FROM sampling WHERE last > ? AND last <= ?", (begin, end)).fetchone():
                return False
        with self._database.writing() as db:
            claimed = db.execute("UPDATE sampling SET last = ? WHERE last <= ? OR last > ?", (now, begin, end))
            return claimed.rowcount > 0

    def enter(self, observation: Observation, plan: Plan, images_a_minute: int) -> None:
        """Keep a sample of what was observed, and the decision if it is a new one."""
        at = observation.at.timestamp()
        decision = _decision(at, plan)
        with self._database.writing() as db:
            row = db.execute("SELECT entry FROM samples ORDER BY at DESC LIMIT 1").fetchone()
            sample = _sample(observation, plan, images_a_minute, None if row is None else Sample(**json.loads(row[0])))
            db.execute("INSERT OR REPLACE INTO samples VALUES (?, ?)", (at, json.dumps(asdict(sample))))
            db.execute(
                "DELETE FROM samples WHERE at < (SELECT at FROM samples ORDER BY at DESC LIMIT 1 OFFSET ?)",
                (_SAMPLES - 1,),
            )
            row = db.execute("SELECT entry FROM decisions ORDER BY number DESC LIMIT 1").fetchone()
            if decision.differs(None if row is None else Decision(**json.loads(row[0]))):
                db.execute("INSERT INTO decisions (entry) VALUES (?)", (json.dumps(asdict(decision)),))
                db.execute(
                    "DELETE FROM decisions WHERE number <= (SELECT max(number) FROM decisions) - ?", (_DECISIONS,)
                )

    def samples(self, since: float = 0.0) -> list[Sample]:
        """Those from a moment on that are kept, the oldest first."""
        with self._database.reading() as db:
            rows = db.execute("SELECT entry FROM samples WHERE at >= ? ORDER BY at", (since,)).fetchall()
        return [Sample(**json.loads(row[0])) for row in rows]

    def latest(self) -> Sample | None:
        """The newest sample, if there is one yet."""
        with self._database.reading() as db:
            row = db.execute("SELECT entry FROM samples ORDER BY at DESC LIMIT 1").fetchone()
        return None if row is None else Sample(**json.loads(row[0]))

    def decisions(self, since: float = 0.0) -> list[Decision]:
        """Those from a moment on that are kept, and the one that held then, the newest first."""
        with self._database.reading() as db:
            rows = db.execute("SELECT entry FROM decisions ORDER BY number DESC").fetchall()
        decisions = [Decision(**json.loads(row[0])) for row in rows]
        later = sum(decision.at >= since for decision in decisions)
        return decisions[: later + 1]


def _sample(observation: Observation, plan: Plan, images_a_minute: int, before: Sample | None) -> Sample:
    sample = Sample(
        at=observation.at.timestamp(),
        backlog=observation.counts.backlog,
        in_flight=observation.counts.in_flight,
        pending=observation.count(State.PENDING),
        running=observation.count(State.RUNNING),
        want=plan.want,
        images_a_minute=images_a_minute,
        cost_per_hour=plan.cost_per_hour.active,
        spent=0.0,
    )
    return sample if before is None else Sample(**asdict(sample) | {"spent": spent(before, sample)})


def spent(before: Sample, now: Sample) -> float | None:
    """US dollars since the fleet was last at rest: what an hour cost at each sample, over the time to the next."""
    if before.at_rest and not now.at_rest:
        return 0.0
    if before.spent is None or before.cost_per_hour is None:
        return None
    seconds = min(max(0.0, now.at - before.at), _LONGEST_GAP_SECONDS)
    return round(before.spent + before.cost_per_hour * seconds / 3600, 6)


def _decision(at: float, plan: Plan) -> Decision:
    return Decision(
        at=at,
        want=plan.want,
        have=plan.have,
        launch=plan.launch,
        start=len(plan.start),
        terminate=len(plan.terminate),
        reason=plan.reason,
        leave=len(plan.leave) + plan.leaving,
    )


def _numbers(decision: Decision) -> tuple[int, ...]:
    return (decision.want, decision.launch, decision.start, decision.terminate, decision.leave)
