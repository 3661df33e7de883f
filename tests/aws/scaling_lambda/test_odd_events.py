"""An event says nothing that is believed: whatever it holds, the fleet is looked at, and nothing launched for it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.odd_messages import JSON

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
# What Chalice reads before our function is called must be there, as AWS has it in every event; its values may be any.
NOTICES = st.fixed_dictionaries(
    {"Message": JSON, "Subject": JSON, "MessageAttributes": JSON}, optional={"TopicArn": JSON, "Timestamp": JSON}
)
ALARMS = st.fixed_dictionaries(
    {
        "Records": st.lists(
            st.fixed_dictionaries({"Sns": NOTICES}, optional={"EventSource": JSON}), min_size=1, max_size=3
        )
    }
)
MINUTES = st.fixed_dictionaries(
    dict.fromkeys(("version", "account", "region", "detail", "detail-type", "source", "time", "id", "resources"), JSON)
)
RECORDS = st.dictionaries(st.sampled_from(["body", "attributes", "messageId", "receiptHandle"]), JSON, max_size=4)
WAKE_UPS = st.fixed_dictionaries({"Records": st.lists(RECORDS | JSON, max_size=4) | JSON}) | JSON
REQUESTS = st.dictionaries(st.sampled_from(["workers", "dry_run", "other"]), JSON, max_size=3) | JSON


@pytest.fixture
def handlers(load: Callable[..., Any]) -> Any:
    return load(NOVABURST_WATCH_SECONDS="0")


@pytest.mark.parametrize(
    ("function", "events"), [("on_alarm", ALARMS), ("on_schedule", MINUTES), ("on_wake", WAKE_UPS)]
)
def test_an_event_of_any_content_is_an_evaluation_that_launches_nothing(
    handlers: Any, function: str, events: st.SearchStrategy[Any]
) -> None:
    @FEW
    @given(events)
    def evaluates(event: Any) -> None:
        answer = getattr(handlers, function)(event, None)
        assert answer["plan"]["launch"] == 0
        json.dumps(answer)

    evaluates()


@FEW
@given(REQUESTS)
def test_a_request_that_is_not_understood_is_refused_in_words_and_no_other_is(handlers: Any, event: Any) -> None:
    understood = isinstance(event, dict) and (
        set(event) <= {"workers", "dry_run"}
        and type(event.get("workers", 0)) is int
        and event.get("workers", 0) >= 0
        and type(event.get("dry_run", False)) is bool
    )
    asked = {**event, "dry_run": True} if understood else event
    if understood:
        assert handlers.on_request(asked, None)["plan"]["launch"] <= 20
    else:
        with pytest.raises(ValueError, match="must be like"):
            handlers.on_request(asked, None)
