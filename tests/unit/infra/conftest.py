"""The template as plain data, its intrinsic functions in their long form."""

from typing import Any

import cfnlint.decode
import pytest

from infra.deploy import TEMPLATE


@pytest.fixture(scope="session")
def template() -> Any:
    decoded, faults = cfnlint.decode.decode(str(TEMPLATE))
    assert not faults
    return decoded
