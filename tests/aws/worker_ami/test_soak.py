"""A short bad day in full: `python -m tests.soak` is the long one."""

import random
from pathlib import Path

from tests.soak.cloud import running_cloud
from tests.soak.content import uploads
from tests.soak.soak import Workers, soak


def test_every_image_is_answered_once_and_nothing_is_left_though_workers_die_and_sqs_has_faults(tmp_path: Path) -> None:
    dice = random.Random(7)
    with running_cloud(tmp_path) as cloud:
        workers = Workers(cloud, 2, tmp_path, SQS_FAULTS="0.02")
        try:
            mixed = uploads(200, aborts=2, hangs=1, dice=dice)
            report = soak(cloud, mixed, workers, kills=3, patience=120, dice=dice)
        finally:
            workers.end()
    assert (report.wrong, report.contradictions) == ({}, {})
    assert (report.held, report.waiting, report.dead) == (0, 0, 0)
    assert report.statuses == [0, 0]
    assert report.killed == 3
