"""What a tier of ours has in its environment in a benchmark: the way to a stand-in for AWS, and nothing else."""

import os


def aws_environment(endpoint: str, **more: str) -> dict[str, str]:
    """The variables for the stand-in at this address, with `more`."""
    return {
        "PATH": os.environ["PATH"],
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        **more,
    }
