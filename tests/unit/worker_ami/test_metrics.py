"""What a worker does is counted, and told each minute in a form of which CloudWatch makes metrics."""

import json
import logging
from threading import Event
from typing import Any

import pytest

from novaburst.contract import Failure, Result, StageTimes
from novaburst.error_codes import ErrorCode
from worker_ami.worker import metrics
from worker_ami.worker.counts import Counts, Totals
from worker_ami.worker.logs import JsonFormatter
from worker_ami.worker.metrics import Reporter, metric_fields


def labelled(decode: float) -> Result:
    ms = StageTimes(queued=100, fetch=20, decode=decode, infer=12)
    return Result(id="a", batch="b", name="n", worker="w", label="daisy", score=0.5, ms=ms)


def failed(code: ErrorCode) -> Result:
    return Result(id="a", batch="b", name="n", worker="w", error=Failure(code=code), ms=StageTimes(queued=9000))


def after(*results: Result) -> Totals:
    counts = Counts()
    for result in results:
        counts.add(result)
    return counts.totals()


def test_the_metrics_of_a_minute_are_of_that_minute_alone() -> None:
    earlier = (labelled(5), failed(ErrorCode.EMPTY_FILE))
    before = after(*earlier)
    now = after(*earlier, labelled(6), labelled(8), failed(ErrorCode.NOT_AN_IMAGE))
    fields = metric_fields(before, now, 60, fleet="lab-7", at=1.5)
    directive = fields.pop("_aws")
    assert fields == {
        "fleet": "lab-7",
        "Images": 3,
        "ImagesPerSecond": 0.05,
        "Errors": 1,
        "Errors.not_an_image": 1,
        "QueuedMilliseconds": 100,
        "FetchMilliseconds": 20,
        "DecodeMilliseconds": 7,
        "InferMilliseconds": 12,
    }
    assert isinstance(directive, dict)
    assert directive["Timestamp"] == 1500
    (metrics,) = directive["CloudWatchMetrics"]
    assert (metrics["Namespace"], metrics["Dimensions"]) == ("Novaburst", [["fleet"]])
    assert {metric["Name"] for metric in metrics["Metrics"]} == fields.keys() - {"fleet"}


def test_a_minute_without_images_says_so_and_has_no_stage_times() -> None:
    fields = metric_fields(Totals(), Totals(), 60, fleet="lab-7", at=0)
    assert fields.keys() == {"_aws", "fleet", "Images", "ImagesPerSecond", "Errors"}


def reported(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonFormatter().format(record)) for record in caplog.records]


def test_a_line_of_the_log_holds_the_metrics_at_its_root(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "worker_ami")
    counts = Counts()
    counts.add(labelled(7))
    Reporter(counts, "lab-7").report()
    assert reported(caplog)[0]["Images"] == 1
    assert "_aws" in reported(caplog)[0]


@pytest.mark.parametrize(("boot_seconds", "told"), [(float("inf"), [41.5]), (0, [])])
def test_the_time_from_boot_to_the_first_result_is_told_once_and_not_after_a_late_restart(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, boot_seconds: float, told: list[float]
) -> None:
    monkeypatch.setattr(metrics, "_BOOT_SECONDS", boot_seconds)
    caplog.set_level(logging.INFO, "worker_ami")
    counts = Counts(clock=lambda: 41.5)
    reporter = Reporter(counts, "lab-7")
    reporter.report()
    for _ in range(3):
        counts.add(labelled(7))
        reporter.report()
    name = "BootToFirstResultSeconds"
    assert [line[name] for line in reported(caplog) if name in line] == told


def test_the_last_words_come_with_the_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "worker_ami")
    ended = Event()
    ended.set()
    Reporter(Counts(), "lab-7").run(ended)
    assert len(reported(caplog)) == 1
