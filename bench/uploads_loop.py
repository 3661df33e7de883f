"""The same puts and sends as an upload's, by boto3 alone: what is left when everything around them is taken away.

`python -m bench.uploads_loop CLIENTS BYTES SECONDS`: so many threads, each storing a file and sending a message again
and again. How long all of it took, its CPU seconds, and the seconds of each pair in a list a thread, are printed as
JSON.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from novaburst.aws import s3_client, sqs_client
from novaburst.contract import Request, new_id, utc_now
from novaburst.settings import Settings


def main(clients: int, size: int, seconds: float) -> None:
    """Run the loops and print what they saw."""
    settings = Settings.load()
    s3, sqs = s3_client(clients), sqs_client(clients)
    url = sqs.get_queue_url(QueueName=settings.request_queue)["QueueUrl"]
    content = os.urandom(size)
    began_all, cpu = time.perf_counter(), time.process_time()
    until = began_all + seconds

    def loop(_: int) -> list[float]:
        took = []
        while (began := time.perf_counter()) < until:
            image = new_id()
            s3.put_object(Bucket=settings.in_bucket, Key=image, Body=content, ContentType="image/jpeg")
            request = Request(
                id=image, batch=image, bucket=settings.in_bucket, key=image, name="photo.jpg", sent=utc_now()
            )
            sqs.send_message(QueueUrl=url, MessageBody=request.to_message())
            took.append(time.perf_counter() - began)
        return took

    with ThreadPoolExecutor(clients) as threads:
        pairs = list(threads.map(loop, range(clients)))
    took, cpu = time.perf_counter() - began_all, time.process_time() - cpu
    sys.stdout.write(json.dumps({"took": took, "cpu": cpu, "seconds": pairs}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
