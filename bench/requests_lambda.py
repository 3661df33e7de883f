"""The Lambda's scheduled function at rest: `python -m bench.requests_lambda TIMES`.

What it logs goes to standard output as on AWS; the mean seconds of an invocation, and of CPU, to standard error.
"""

import json
import sys
import time

from chalice.test import Client

from app import app


def main(times: int) -> None:
    """Invoke it so often, once it is warm."""
    with Client(app) as client:
        event = client.events.generate_cw_event("aws.events", "Scheduled", {}, [])
        client.lambda_.invoke("on_schedule", event)
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(times):
            client.lambda_.invoke("on_schedule", event)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
    json.dump({"seconds": took / times, "cpu_seconds": cpu / times}, sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]))
