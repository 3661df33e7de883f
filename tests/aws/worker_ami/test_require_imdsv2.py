"""The instance that bakes the image answers to IMDSv2 only."""

import importlib.util
from pathlib import Path

import boto3
from click.testing import CliRunner

from novaburst.settings import Settings

SCRIPT = Path(__file__).resolve().parents[3] / "worker_ami" / "provision" / "require_imdsv2.py"


def test_the_script_requires_a_token_of_the_instance_it_is_given(aws: Settings) -> None:
    ec2 = boto3.client("ec2")
    (instance,) = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
    spec = importlib.util.spec_from_file_location("require_imdsv2", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    done = CliRunner().invoke(module.main, ["--region", "us-east-1", instance["InstanceId"]])
    assert done.exit_code == 0, done.output
    (reservation,) = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"]
    assert reservation["Instances"][0]["MetadataOptions"]["HttpTokens"] == "required"
