"""The model in the request: a Flask application for gunicorn, with a model of its own in each process."""

from flask import Flask, request

from bench.peers.model import PhotoModel

app = Flask(__name__)
model = PhotoModel()


@app.post("/")
def classify() -> str:
    """The label of the form's photo."""
    return model.classify(request.files["image"].read())
