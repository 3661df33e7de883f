"""A batch that a request names: it exists, or the request is refused."""

from web_tier.problems import Problem
from web_tier.tier import tier

EXPIRED = "there is no such batch, or it has expired"
NEVER_MADE = "there is no such batch: make one with POST /api/v1/batches"


def batch_created(batch: str, missing: str = EXPIRED) -> float:
    """When the batch was made, in seconds since the epoch.

    Raises:
        Problem: 404 with the text `missing`, there is none.
    """
    created = tier().store.batch_created(batch)
    if created is None:
        raise Problem(404, missing)
    return created
