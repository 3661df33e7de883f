"""The table of prices, and files of others."""

from pathlib import Path

import pytest

from simulator.prices import Prices, PricesError


def test_a_file_replaces_the_prices_that_it_names_alone(tmp_path: Path) -> None:
    path = tmp_path / "frankfurt.json"
    path.write_text('{"s3_put_per_1000": 0.0054}')
    assert Prices.load(path) == Prices().model_copy(update={"s3_put_per_1000": 0.0054})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"s3_put": 1}', "s3_put: .*the names are s3_put_per_1000, "),
        ('{"sqs_per_million": -1}', "sqs_per_million: .*greater than or equal to 0"),
        ('{"sqs_per_million": "much"}', "sqs_per_million: .*number"),
        ("[1]", "object"),
        ("{", "JSON"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_its_entry(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(PricesError, match=f"{path}: .*{words}"):
        Prices.load(path)


def test_a_file_that_cannot_be_read_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(PricesError, match="directory"):
        Prices.load(tmp_path)


@pytest.mark.parametrize(
    ("service", "action", "a_million"),
    [
        ("s3", "PutObject", 5.0),
        ("s3", "ListObjects", 5.0),
        ("s3", "GetObject", 0.4),
        ("s3", "HeadObject", 0.4),
        ("s3", "DeleteObjects", 0.0),
        ("sqs", "SendMessageBatch", 0.4),
        ("ec2", "DescribeInstances", 0.0),
    ],
)
def test_a_call_is_priced_by_its_service_and_action(service: str, action: str, a_million: float) -> None:
    assert Prices().call(service, action) * 1e6 == pytest.approx(a_million)
