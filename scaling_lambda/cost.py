"""What the fleet costs an hour, from a table of prices; an unknown price makes the cost unknown, never zero."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CURRENCY = "USD"


@dataclass(frozen=True)
class Cost:
    """US dollars an hour: of the instances that are booting or running, and of those after the plan."""

    active: float | None = None
    planned: float | None = None
    currency: str = CURRENCY


@dataclass(frozen=True)
class Prices:
    """What an instance costs, in US dollars an hour: on demand, so that a spot instance's cost is an upper bound.

    Only instances are priced, not their disks, requests or traffic.
    """

    by_type: Mapping[str, float] = field(default_factory=dict)
    # What a new instance will be, and what one of unknown type is taken for.
    launched_type: str = ""
    # One price for every type, where the operator pays another than the table's.
    override: float | None = None

    def of(self, instance_type: str | None) -> float | None:
        """The price of an instance of that type; None where the table does not have it."""
        return self.by_type.get(instance_type or self.launched_type) if self.override is None else self.override

    def total(self, instance_types: Iterable[str | None]) -> float | None:
        """The price of all of them together; None as soon as one of them is unknown."""
        prices = [self.of(instance_type) for instance_type in instance_types]
        known = [price for price in prices if price is not None]
        return round(sum(known), 5) if len(known) == len(prices) else None
