"""On the PYTHONPATH of a process under test, this makes of some files poison, and of SQS a service that has bad days.

A poisonous file starts as a BMP does and then says what shall happen to whoever decodes it; see tests/poisoned.py. With
SQS_FAULTS=SHARE that share of the calls to SQS fails before it has an effect, as many fail after it, and as many are
slow by up to a second.
"""

import os
import random
import signal
import time

from PIL import BmpImagePlugin

_open = BmpImagePlugin.BmpImageFile._open


def _open_poison(self: BmpImagePlugin.BmpImageFile) -> None:
    head = self.fp.read(32)
    self.fp.seek(0)
    match head.partition(b"POISON ")[2].strip():
        case b"abort":
            os.abort()
        case b"segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"exit":
            os._exit(0)
        case b"hang":
            time.sleep(3600)
        case b"hunger":
            _hoard = [bytearray(1 << 24) for _ in range(1 << 12)]
        case b"killed from outside":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"noise":
            print("a library talks to standard output")
    _open(self)


def _fail_at_sqs(share: float) -> None:
    # Here, since few of the processes need them.
    import boto3  # noqa: PLC0415
    from botocore.exceptions import ReadTimeoutError  # noqa: PLC0415

    def before(**_: object) -> None:
        dice = random.random()
        if dice < share:
            raise ReadTimeoutError(endpoint_url="sqs, before its effect")
        if dice < 2 * share:
            time.sleep(random.random())

    def after(**_: object) -> None:
        if random.random() < share:
            raise ReadTimeoutError(endpoint_url="sqs, after its effect")

    boto3.setup_default_session()
    boto3.DEFAULT_SESSION.events.register("before-send.sqs", before)
    boto3.DEFAULT_SESSION.events.register("response-received.sqs", after)


BmpImagePlugin.BmpImageFile._open = _open_poison
if os.environ.get("SQS_FAULTS"):
    _fail_at_sqs(float(os.environ["SQS_FAULTS"]))
