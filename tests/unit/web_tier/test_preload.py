"""What gunicorn's master loads before it makes its processes is theirs to read, and nothing else is shared."""

import json
import subprocess
import sys
from typing import Any

_LOADED = """
import builtins, gzip, io, json, os
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
import boto3
from novaburst.aws import ec2_client
from novaburst.contract import new_id
from web_tier import clients, preload
loaded = preload.load()
"""


def said(program: str) -> Any:
    finished = subprocess.run([sys.executable, "-c", _LOADED + program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


def test_before_the_fork_there_is_no_connection_no_open_file_and_no_second_thread() -> None:
    found = said("""
import psutil
me = psutil.Process()
print(json.dumps([[str(one) for one in me.net_connections()], [one.path for one in me.open_files()], me.num_threads()]))
""")
    assert found == [[], [], 1]


def test_each_process_makes_its_own_ids_and_signs_with_its_own_credentials_and_reads_no_description_again() -> None:
    found = said("""
read = []
opened = open
def watched(path, *rest, **named):
    read.append(str(path))
    return opened(path, *rest, **named)
pipes = [os.pipe() for _ in range(2)]
for number, (_, end) in enumerate(pipes):
    if os.fork() == 0:
        os.environ["AWS_ACCESS_KEY_ID"] = f"key-{number}"
        builtins.open = io.open = gzip.open = watched
        preload.adopt(loaded)
        ec2_client()
        link = clients.own().s3.generate_presigned_url("get_object", Params={"Bucket": "in-bucket", "Key": "a"})
        used = [f"key-{sign}" for sign in range(2) if f"key-{sign}" in link]
        key = boto3.DEFAULT_SESSION.get_credentials().access_key
        models = [path for path in read if "botocore/data" in path]
        os.write(end, json.dumps([new_id(), used, key, models]).encode())
        os._exit(0)
    os.close(end)
print(json.dumps([json.loads(os.read(start, 100_000)) for start, _ in pipes]))
""")
    (one_id, one_used, one_key, one_read), (other_id, other_used, other_key, other_read) = found
    assert one_id != other_id
    assert (one_used, other_used) == (["key-0"], ["key-1"])
    assert (one_key, other_key) == ("key-0", "key-1")
    assert (one_read, other_read) == ([], [])


def test_without_credentials_a_process_says_that_it_has_none() -> None:
    found = said("""
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ |= {"AWS_EC2_METADATA_DISABLED": "true"}
os.environ |= {"AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_CONFIG_FILE": "/nowhere"}
preload.adopt(loaded)
try:
    clients.own().sqs.get_queue_url(QueueName="req-queue")
except Exception as error:
    print(json.dumps(type(error).__name__))
""")
    assert found == "NoCredentialsError"
