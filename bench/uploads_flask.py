"""Flask's simplest handler for the same work: one request after another, one put and one send in each.

`python -m bench.uploads_flask PORT`.
"""

import sys

from flask import Flask, request
from werkzeug.wrappers import Response

from novaburst.aws import s3_client, sqs_client
from novaburst.contract import Request, new_id, utc_now
from novaburst.settings import Settings


def create_app() -> Flask:
    """The application."""
    app = Flask("simplest")
    settings = Settings.load()
    s3, sqs = s3_client(), sqs_client()
    url = sqs.get_queue_url(QueueName=settings.request_queue)["QueueUrl"]

    @app.post("/api/v1/upload")
    def upload() -> Response:
        file = request.files["file"]
        image = new_id()
        s3.put_object(Bucket=settings.in_bucket, Key=image, Body=file.stream, ContentType=file.mimetype)
        message = Request(
            id=image, batch=image, bucket=settings.in_bucket, key=image, name=file.filename or "", sent=utc_now()
        )
        sqs.send_message(QueueUrl=url, MessageBody=message.to_message())
        return Response(image, 202)

    return app


if __name__ == "__main__":
    create_app().run("127.0.0.1", int(sys.argv[1]), threaded=False)
