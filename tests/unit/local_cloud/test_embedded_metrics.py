"""Log lines in the embedded metric format, as powertools and as the worker write them."""

import io
import json
from contextlib import redirect_stdout

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.embedded_metrics import data_of
from local_cloud.metrics import MetricId, Statistics
from worker_ami.worker.metrics import embedded


def test_a_line_of_powertools_gives_its_metrics_with_their_dimension() -> None:
    metrics = EphemeralMetrics(namespace="Novaburst", service="")
    metrics.add_dimension("fleet", "lab")
    for backlog in (3, 5):
        metrics.add_metric("Backlog", MetricUnit.Count, backlog)
    with redirect_stdout(io.StringIO()) as output:
        metrics.flush_metrics()
    (datum,) = data_of(output.getvalue().encode())
    assert datum.metric == MetricId("Novaburst", "Backlog", (("fleet", "lab"),))
    assert datum.statistics == Statistics(3, 5, 8, 2)
    assert datum.unit == "Count"


def test_a_line_of_the_worker_gives_its_metrics_at_its_time() -> None:
    fields = embedded({"Images": (7, "Count"), "DecodeMilliseconds": (5.5, "Milliseconds")}, fleet="lab", at=1000.5)
    line = json.dumps({"level": "INFO", "message": "metrics", **fields}).encode()
    data = list(data_of(line))
    assert [(datum.metric.name, datum.statistics.total, datum.unit) for datum in data] == [
        ("Images", 7, "Count"),
        ("DecodeMilliseconds", 5.5, "Milliseconds"),
    ]
    assert {datum.at for datum in data} == {1000.5}


def test_what_a_line_names_and_does_not_have_is_left_out() -> None:
    fields = embedded({"Images": (7, "Count"), "Errors": (0, "Count")}, fleet="lab", at=0)
    del fields["Errors"]
    assert [datum.metric.name for datum in data_of(json.dumps(fields).encode())] == ["Images"]
    del fields["fleet"]
    assert list(data_of(json.dumps(fields).encode())) == []


@given(st.binary() | st.text().map(lambda text: f'{{"_aws": {text}}}'.encode()))
def test_any_other_line_gives_nothing(line: bytes) -> None:
    assert list(data_of(line)) == []
