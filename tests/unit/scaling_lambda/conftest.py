"""The model's EC2 with a clock that the tests set by hand."""

import pytest

from simulator.ec2 import Ec2


class LaggingEc2(Ec2):
    """Times are seconds since the start; `boot_seconds` is None for launches that never boot."""

    def __init__(self) -> None:
        self.now = 0.0
        self.boot_seconds: float | None = 25.0
        super().__init__(
            lambda: self.now, lambda: float("inf") if self.boot_seconds is None else self.boot_seconds, start_seconds=5
        )


@pytest.fixture(scope="session")
def new_ec2() -> type[LaggingEc2]:
    """Makes a new simulated EC2: a property test needs one for each example."""
    return LaggingEc2
