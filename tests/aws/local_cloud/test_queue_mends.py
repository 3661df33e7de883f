"""The mends of SQS that only show under the eyes of a counter or of a thread switch at every turn.

Mends change moto for the whole process, so each test runs its lines in a process of their own.
"""

import subprocess
import sys
import textwrap

PRELUDE = """
import sys, threading, time
from moto.sqs.models import Message, Queue, SQSBackend, sqs_backends
from local_cloud.mends import queues
queues.apply()
backend = sqs_backends["123456789012"]["us-east-1"]
queue = backend.create_queue("q")
looks = []
look = Message.visible.fget
Message.visible = property(lambda self: (looks.append(self), look(self))[1])
"""


def _in_a_mended_process(lines: str) -> None:
    program = PRELUDE + textwrap.dedent(lines)
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_no_call_looks_at_more_messages_than_it_moves() -> None:
    _in_a_mended_process(
        """
        counting = Queue.approximate_number_of_messages
        Queue.approximate_number_of_messages = property(lambda self: sys.exit("sending counted the queue"))
        for n in range(200):
            backend.send_message("q", str(n))
        Queue.approximate_number_of_messages = counting
        assert not looks, "sending looked at queued messages"

        attributes = Queue.attributes
        Queue.attributes = property(lambda self: sys.exit("receiving read the queue's attributes"))
        assert len(backend.receive_message("q", 10, 0, 30)) == 10
        Queue.attributes = attributes
        assert len(looks) <= 20, f"receiving ten messages looked at {len(looks)}"

        looks.clear()
        counts = backend.get_queue_attributes("q", ["All"])
        assert counts["ApproximateNumberOfMessages"] == 190
        assert counts["ApproximateNumberOfMessagesNotVisible"] == 10
        assert not looks, "counting asked each message for its own view of the clock"

        expired = next(message for message in queue._messages if message.receipt_handle is None)
        expired.sent_timestamp -= 5 * 86400 * 1000
        assert backend.receive_message("q", 1, 0, 30) == [], "a message past its retention was received"
        """
    )


def test_at_the_end_of_the_cloud_no_receiver_waits_for_its_time() -> None:
    _in_a_mended_process(
        """
        began = time.monotonic()
        threading.Timer(0.5, queues.ENDING.set).start()
        assert backend.receive_message("q", 10, 60, 30) == []
        backend.send_message("q", "m")
        assert len(backend.receive_message("q", 10, 60, 30)) == 1
        assert time.monotonic() - began < 30
        """
    )


def test_with_a_thread_switch_at_every_turn_nothing_is_lost_doubled_or_refused() -> None:
    _in_a_mended_process(
        """
        sys.setswitchinterval(1e-6)
        received, faults, sent = [], [], threading.Event()

        def guarded(work):
            def run():
                try:
                    work()
                except Exception as fault:
                    faults.append(repr(fault))
            return run

        def send():
            for _ in range(300):
                backend.send_message("q", "m")

        def consume():
            while True:
                last = sent.is_set()
                messages = backend.receive_message("q", 10, 0, 30)
                for message in messages:
                    received.append(message.id)
                    backend.delete_message("q", message.receipt_handle)
                if last and not messages:
                    return

        senders = [threading.Thread(target=guarded(send)) for _ in range(3)]
        consumers = [threading.Thread(target=guarded(consume)) for _ in range(6)]
        for thread in senders + consumers:
            thread.start()
        for thread in senders:
            thread.join()
        sent.set()
        for thread in consumers:
            thread.join()
        assert not faults, faults[:3]
        assert len(received) == len(set(received)) == 900, (len(received), len(set(received)))
        assert not queue._messages
        """
    )
