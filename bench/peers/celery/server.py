"""The front end: queues a photo as a task and waits for its result."""

from flask import Flask, request

from bench.peers.celery.tasks import classify as task

# Below the time that gunicorn gives a request.
RESULT_SECONDS = 60

app = Flask(__name__)


@app.post("/")
def classify() -> str:
    """The label of the form's photo."""
    label: str = task.delay(request.files["image"].read()).get(timeout=RESULT_SECONDS)
    return label
