"""What one process of the web tier works with, made once at its start, and how a request reaches it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from novaburst.settings import require_region
from scaling_lambda.clock import SystemClock
from scaling_lambda.evaluate import Evaluator
from scaling_lambda.fleet import Instance, Observation
from scaling_lambda.observe import Observer
from scaling_lambda.policy import Plan
from scaling_lambda.settings import Settings as ScalingSettings
from web_tier import clients
from web_tier.answers import Answers
from web_tier.attempts import Attempts
from web_tier.batches import Batches
from web_tier.deployment import Deployment
from web_tier.evaluations import Evaluations
from web_tier.history import History
from web_tier.intake import Intake
from web_tier.notifier import Notifier
from web_tier.readiness import Check, readiness
from web_tier.recent import Recent
from web_tier.references import References
from web_tier.sampler import Sampler
from web_tier.scaling import Scaling
from web_tier.sender import Sender
from web_tier.settings import WebSettings
from web_tier.store import Store
from web_tier.tickets import Tickets
from web_tier.waker import Waker

_EXTENSION = "novaburst"


@dataclass(frozen=True)
class Tier:
    """The parts that requests share."""

    settings: WebSettings
    deployment: Deployment
    # The Lambda's settings as they are on this machine: for the plan that is shown, and for the fallback.
    scaling_settings: ScalingSettings
    # The scaling Lambda's own eyes, so that the web tier never shows another fleet than the one that is scaled.
    instances: Recent[tuple[Instance, ...]]
    fleet: Recent[tuple[Observation, Plan]]
    readiness: Recent[list[Check]]
    scaling: Scaling
    evaluations: Evaluations
    history: History
    sampler: Sampler
    store: Store
    batches: Batches
    attempts: Attempts
    references: References
    tickets: Tickets
    intake: Intake
    answers: Answers
    notifier: Notifier
    # One for each stream of events that may still be opened: a stream holds a thread.
    streams: threading.BoundedSemaphore
    # One for each upload that may still wait for its results: that holds a thread, too.
    waits: threading.BoundedSemaphore
    # Ends the tier's threads in the order in which work passes through them.
    close: Callable[[], None]

    def init_app(self, app: Flask) -> None:
        """Bind to an application."""
        app.extensions[_EXTENSION] = self


def build(settings: WebSettings) -> Tier:
    """Open the store, with this process's clients; nothing is asked of AWS yet.

    Raises:
        novaburst.settings.SettingsError: no region is set, or one of the Lambda's settings is wrong.
        OSError: the state folder cannot be made or written.
    """
    require_region()
    scaling_settings = settings.scaling()
    settings.spool_dir.mkdir(parents=True, exist_ok=True)
    aws = clients.own()
    deployment = Deployment(settings, aws.s3, aws.sqs)
    store = Store(settings.store_path)
    evaluator = Evaluator(scaling_settings, aws.sqs, aws.ec2, aws.cloudwatch, SystemClock())
    evaluations = Evaluations(store.database)
    fleet = Recent(evaluator.plan)
    history = History(store.database)
    sampler = Sampler(fleet, store, history)
    waker = Waker(lambda: deployment.wake_queue, wanted="wake" in scaling_settings.triggers)
    sender = Sender(lambda: deployment.request_queue, store, waker.wake)
    intake = Intake(store, deployment.in_bucket, lambda: deployment.quick_in_bucket, sender)
    notifier = Notifier(store)

    attempts = Attempts(store.database, surely_right=deployment.skew.surely_right)
    tickets = Tickets(store, deployment.in_bucket, sender, settings.max_image_bytes)

    def close() -> None:
        for part in (sampler, intake, tickets, sender, waker, notifier, attempts, store):
            part.close()

    return Tier(
        settings=settings,
        deployment=deployment,
        scaling_settings=scaling_settings,
        instances=Recent(Observer(aws.sqs, aws.ec2, settings.request_queue, settings.prefix).instances),
        fleet=fleet,
        readiness=Recent(lambda: _readiness(deployment, store)),
        scaling=Scaling(aws.functions, settings.scaling_function, evaluator),
        evaluations=evaluations,
        history=history,
        sampler=sampler,
        store=store,
        batches=Batches(store.database, deployment.in_bucket, deployment.out_bucket),
        attempts=attempts,
        references=References(store.database, deployment.in_bucket),
        tickets=tickets,
        intake=intake,
        answers=Answers(store, deployment.out_bucket, notifier),
        notifier=notifier,
        streams=threading.BoundedSemaphore(settings.max_streams),
        waits=threading.BoundedSemaphore(settings.max_waits),
        close=close,
    )


def _readiness(deployment: Deployment, store: Store) -> list[Check]:
    aws: dict[str, Callable[[], object]] = {
        "in-bucket": deployment.in_bucket.check,
        "out-bucket": deployment.out_bucket.check,
        # To find them is a part of the question.
        "request-queue": lambda: deployment.request_queue.depth(),  # noqa: PLW0108
        "response-queue": lambda: deployment.response_queue.depth(),  # noqa: PLW0108
    }
    return readiness({"store": store.counts}, aws, lambda: deployment.skew.seconds)


def tier() -> Tier:
    """The current application's parts."""
    return tier_of(current_app)


def tier_of(app: Flask) -> Tier:
    """An application's parts."""
    return cast(Tier, app.extensions[_EXTENSION])
