"""Make the instance that bakes the image answer to IMDSv2 only; Packer 1.6.6 knows no setting for it."""

import boto3
import click


@click.command()
@click.option("--region", required=True)
@click.argument("instance")
def main(region: str, instance: str) -> None:
    """Require a session token from whoever asks INSTANCE for its metadata."""
    boto3.client("ec2", region_name=region).modify_instance_metadata_options(
        InstanceId=instance, HttpTokens="required", HttpEndpoint="enabled", HttpPutResponseHopLimit=1
    )
    click.echo(f"{instance}: IMDSv2 only")


if __name__ == "__main__":
    main()
