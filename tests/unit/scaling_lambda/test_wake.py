"""A wake-up's event tells when its first message was sent, and whatever else it holds is no fault."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_lambda.wake import first_sent

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
records = st.fixed_dictionaries({"attributes": st.fixed_dictionaries({"SentTimestamp": json}) | json}) | json


def event(*sent: Any) -> dict[str, Any]:
    return {"Records": [{"attributes": {"SentTimestamp": one}} for one in sent]}


def test_the_earliest_message_counts() -> None:
    assert first_sent(event("1764061200500", "1764061200000")) == datetime(2025, 11, 25, 9, tzinfo=UTC)


@pytest.mark.parametrize("odd", ["soon", None, [], {}, "9" * 400, float("nan"), float("inf"), 10**30])
def test_a_message_that_does_not_tell_when_it_was_sent_is_passed_over(odd: Any) -> None:
    assert first_sent(event(odd, "1764061200000")) == datetime(2025, 11, 25, 9, tzinfo=UTC)
    assert first_sent(event(odd)) is None


@given(json | st.fixed_dictionaries({"Records": st.lists(records, max_size=5) | json}))
def test_an_event_of_any_form_is_no_fault(anything: Any) -> None:
    seen = first_sent(anything)
    assert seen is None or seen.tzinfo is UTC
