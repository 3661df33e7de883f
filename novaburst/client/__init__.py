"""A client of the web tier's API, for the command line and for programs; it needs neither tier installed.

with Client("http://127.0.0.1:8000") as client:
    submission = client.submit(["photos/", "more/*.jpg"])
    for answer in client.iter_results(submission.batch):
        print(answer.name, answer.label)
"""

from novaburst.client.answers import Answer, Batch
from novaburst.client.client import Client
from novaburst.client.connection import ClientError
from novaburst.client.journal import Journal, JournalError
from novaburst.client.submission import Submission, Taken

__all__ = ["Answer", "Batch", "Client", "ClientError", "Journal", "JournalError", "Submission", "Taken"]
