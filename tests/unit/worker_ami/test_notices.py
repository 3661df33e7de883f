"""EC2's notices are passed on once, and a metadata service that fails never ends a worker."""

import logging
from threading import Event, Thread

import pytest

from tests.unit.worker_ami.metadata import MetadataService
from worker_ami.worker import notices
from worker_ami.worker.imds import InstanceMetadata
from worker_ami.worker.notices import Notices

INTERRUPTION = {"spot/instance-action": '{"action": "terminate", "time": "2026-11-25T12:00:00Z"}'}
REBALANCE = {"events/recommendations/rebalance": '{"noticeTime": "2026-11-25T12:00:00Z"}'}
SENT_AWAY = {"tags/instance/novaburst:leave": "2026-11-25T12:00:00+00:00"}
KEPT = {"tags/instance/novaburst:keep": ""}


class Told:
    """Notices that take down what they pass on."""

    def __init__(self, service: MetadataService) -> None:
        self.what: list[str] = []
        self.notices = Notices(
            InstanceMetadata(service.environment),
            interrupted=lambda: self.what.append("interrupted"),
            rebalance=lambda: self.what.append("rebalance"),
            sent_away=lambda: self.what.append("sent away"),
        )


def test_an_instance_without_notices_is_told_nothing(service: MetadataService) -> None:
    told = Told(service)
    told.notices.look()
    assert told.what == []


def test_each_notice_is_passed_on_once(service: MetadataService) -> None:
    told = Told(service)
    service.notices = REBALANCE
    told.notices.look()
    told.notices.look()
    assert told.what == ["rebalance"]
    service.notices = REBALANCE | INTERRUPTION | SENT_AWAY
    told.notices.look()
    told.notices.look()
    assert told.what == ["rebalance", "interrupted", "sent away"]


def test_an_instance_that_a_person_keeps_is_not_sent_away_until_that_is_over(service: MetadataService) -> None:
    told = Told(service)
    service.notices = SENT_AWAY | KEPT
    told.notices.look()
    assert told.what == []
    service.notices = SENT_AWAY
    told.notices.look()
    assert told.what == ["sent away"]


def test_a_service_that_fails_is_logged_once_and_asked_again(
    service: MetadataService, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told(service)
    service.failures = 2
    with caplog.at_level(logging.WARNING, "worker_ami"):
        told.notices.look()
        told.notices.look()
    assert len(caplog.records) == 1
    service.notices = INTERRUPTION
    told.notices.look()
    assert told.what == ["interrupted"]


def test_no_service_at_all_ends_nothing() -> None:
    nowhere = InstanceMetadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"})
    Notices(nowhere, interrupted=pytest.fail, rebalance=pytest.fail, sent_away=pytest.fail).look()


def test_the_loop_looks_until_it_has_told_everything(service: MetadataService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "POLL_SECONDS", 0.01)
    told = Told(service)
    loop = Thread(target=told.notices.run, args=(Event(),))
    loop.start()
    service.notices = REBALANCE | INTERRUPTION | SENT_AWAY
    loop.join(10)
    assert not loop.is_alive()
    assert told.what == ["interrupted", "rebalance", "sent away"]


def test_the_loop_ends_with_the_worker(service: MetadataService) -> None:
    ended = Event()
    ended.set()
    Told(service).notices.run(ended)
