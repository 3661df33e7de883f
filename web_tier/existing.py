"""A batch that a request names: it exists, or the request is refused."""

from web_tier.problems import Problem
from web_tier.tier import tier

_REMEDY = "check the address, or make a new one with POST /api/v1/batches"


def no_batch(batch: str) -> Problem:
    """The answer to who names a batch that is not there."""
    return Problem(404, f"there is no batch {batch[:80]!r}, or it has expired: {_REMEDY}")


def batch_created(batch: str) -> float:
    """When the batch was made, in seconds since the epoch.

    Raises:
        Problem: 404, there is none.
    """
    created = tier().store.batch_created(batch)
    if created is None:
        raise no_batch(batch)
    return created
