"""The web tier as a Flask application.

`gunicorn --config python:web_tier.gunicorn_config 'web_tier.app:create_app()'` serves it.
"""

from flask import Flask
from werkzeug.routing import PathConverter

from web_tier import (
    access,
    collection,
    course_clients,
    description,
    downloads,
    events,
    fleet,
    health,
    pages,
    presigned,
    problems,
    results,
    scale,
    session,
    uploads,
)
from web_tier.bodies import read_rest
from web_tier.logs import log_to_stderr
from web_tier.settings import WebSettings
from web_tier.tier import build


class CoursePath(PathConverter):
    """Any path but the API's, where an unknown address is a 404 and a wrong method a 405."""

    # A line break, too, may stand in a path.
    regex = r"(?!api/)[^/](?s:.)*?"


def create_app(settings: WebSettings | None = None) -> Flask:
    """Make the application; call it in the process that serves, after any fork.

    Raises:
        novaburst.settings.SettingsError: a setting is missing or wrong.
    """
    log_to_stderr()
    app = Flask("web_tier", static_folder=None)
    app.url_map.converters["course"] = CoursePath
    settings = settings or WebSettings.load()
    tokens = access.watched(settings.token_file)
    parts = build(settings)
    parts.init_app(app)
    problems.init_app(app)
    for module in (
        health,
        pages,
        uploads,
        presigned,
        collection,
        results,
        downloads,
        events,
        fleet,
        scale,
        session,
        description,
        course_clients,
    ):
        app.register_blueprint(module.blueprint)
    app.after_request(read_rest)
    access.init_app(app, tokens, parts.store.database)
    parts.sampler.start()
    return app
