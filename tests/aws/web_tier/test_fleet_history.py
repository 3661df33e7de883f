from datetime import UTC, datetime, timedelta

import boto3
import pytest
from flask import Flask
from flask.testing import FlaskClient

from scaling_lambda.cost import Cost
from scaling_lambda.fleet import Counts, Instance, Observation, State
from scaling_lambda.policy import Plan
from tests.aws.web_tier.conftest import Fleet
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.tier import tier_of


def launch(settings: WebSettings, count: int) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "novaburst:fleet", "Value": settings.prefix}]}]
    boto3.client("ec2").run_instances(
        ImageId="ami-12c6146b", InstanceType="c6i.large", MinCount=count, MaxCount=count, TagSpecifications=tags
    )


@pytest.fixture(autouse=True)
def _samples_by_hand_alone(app: Flask) -> None:
    """On a slow machine the application's own first one, after five seconds, would come before the test's."""
    tier_of(app).sampler.close()


def test_the_fleets_view_tells_pace_cost_samples_and_decisions(
    app: Flask, client: FlaskClient, settings: WebSettings, working_fleet: Fleet
) -> None:
    launch(settings, 2)
    client.post("/?name=cat.jpg", data=b"label:cat", content_type="image/jpeg")
    tier_of(app).sampler.sample()
    view = client.get("/api/v1/fleet").json
    assert view["pace"] == {"images_a_minute": 1, "pending": 0, "seconds_to_finish": 0.0}
    assert view["cost"] == {"so_far": 0.0, "currency": "USD"}
    [sample] = view["history"]["samples"]
    assert (sample["running"], sample["images_a_minute"]) == (2, 1)
    assert sample["cost_per_hour"] > 0
    [decision] = view["history"]["decisions"]
    assert decision["have"] == 2
    assert decision["reason"]


def test_without_a_sample_yet_the_cost_is_unknown(client: FlaskClient) -> None:
    view = client.get("/api/v1/fleet").json
    assert (view["cost"]["so_far"], view["history"]) == (None, {"samples": [], "decisions": []})


def test_a_view_holds_the_last_minutes_and_the_cost_of_all_of_the_burst(app: Flask, client: FlaskClient) -> None:
    history, now = tier_of(app).history, datetime.now(UTC)
    plan = Plan(want=1, have=1, launch=0, reason="played", cost_per_hour=Cost(active=36.0))
    for minutes in (55, 54, 20):
        worker = Instance("i-1", State.RUNNING, now)
        history.enter(Observation(now - timedelta(minutes=minutes), Counts(minutes, 0, 0), (worker,)), plan, 0)

    def samples(query: str = "") -> list[int]:
        return [sample["backlog"] for sample in client.get(f"/api/v1/fleet{query}").json["history"]["samples"]]

    assert samples() == []
    assert samples("?minutes=54.5") == [54, 20]
    assert samples("?minutes=1e9") == [55, 54, 20]
    view = client.get("/api/v1/fleet?minutes=0").json
    assert [decision["reason"] for decision in view["history"]["decisions"]] == ["played"]
    assert view["cost"]["so_far"] == pytest.approx(36 * (60 + 120) / 3600)


@pytest.mark.parametrize("given", ["", "-1", "an hour", "nan", "1_0"])
def test_minutes_that_are_no_number_are_refused_by_name(client: FlaskClient, given: str) -> None:
    reply = client.get("/api/v1/fleet", query_string={"minutes": given})
    assert (reply.status_code, "minutes must be a number" in reply.json["detail"]) == (400, True)


def test_a_second_sample_within_the_period_is_not_taken(app: Flask, store: Store) -> None:
    for _ in range(2):
        tier_of(app).sampler.sample()
    assert len(tier_of(app).history.samples()) == 1
