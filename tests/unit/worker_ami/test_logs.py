"""A log record is one line of JSON that says where it comes from."""

import json
import logging

import pytest

from worker_ami.worker.logs import JsonFormatter


def line(formatter: JsonFormatter, **fields: object) -> dict[str, object]:
    record = logging.makeLogRecord({"name": "worker", "levelname": "INFO", "created": 0.5, **fields})
    text = formatter.format(record)
    assert "\n" not in text
    parsed = json.loads(text)
    assert isinstance(parsed, dict)
    return parsed


def test_a_record_carries_its_instance_its_time_and_its_extra_fields() -> None:
    assert line(JsonFormatter("i-1"), msg="got %d", args=(3,), image="x", ms={"fetch": 1.5}) == {
        "time": "1970-01-01T00:00:00.500+00:00",
        "level": "INFO",
        "logger": "worker",
        "message": "got 3",
        "instance": "i-1",
        "image": "x",
        "ms": {"fetch": 1.5},
    }


def test_a_traceback_stays_on_the_line() -> None:
    with pytest.raises(ValueError, match="many") as caught:
        int("of\nmany lines")
    parsed = line(JsonFormatter(), msg="failed", exc_info=(caught.type, caught.value, caught.tb))
    assert "many lines" in str(parsed["traceback"])
