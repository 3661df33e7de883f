"""What AWS charges for, beside the instances: list prices of us-east-1, without any free tier.

Those of S3, SQS, Lambda, addresses, metrics, dashboards and logs taken in were compared in November 2026 with what
others publish of them. Each entry names the page of AWS that has the present price.
Instances are priced by `scaling_lambda.settings.PRICES_PER_HOUR` and `NOVABURST_PRICE_PER_HOUR`.
"""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, ValidationError

# AWS bills a month of anything that stays by the hour; its own examples and calculator take a month for so many.
HOURS_A_MONTH = 730.0


class PricesError(ValueError):
    """A file of prices that cannot be used; the text names the entry and says what it must be."""


class Prices(BaseModel):
    """US dollars in the units of AWS's own pages. A GB is 2**30 bytes, as in AWS's bills."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # https://aws.amazon.com/s3/pricing/ (S3 Standard). PUT, COPY, POST and LIST; GET and the rest; DELETE is free.
    s3_put_per_1000: NonNegativeFloat = 0.005
    s3_get_per_1000: NonNegativeFloat = 0.0004
    s3_gb_month: NonNegativeFloat = 0.023
    # https://aws.amazon.com/sqs/pricing/ (standard queues). A batch of ten is one request, and so is a receive in vain.
    sqs_per_million: NonNegativeFloat = 0.40
    # https://aws.amazon.com/cloudwatch/pricing/: logs taken in and kept, custom metrics, what alarms look at,
    # dashboards, and metrics read by GetMetricData.
    logs_gb: NonNegativeFloat = 0.50
    logs_gb_month: NonNegativeFloat = 0.03
    metric_month: NonNegativeFloat = 0.30
    alarm_metric_month: NonNegativeFloat = 0.10
    dashboard_month: NonNegativeFloat = 3.00
    metric_reads_per_1000: NonNegativeFloat = 0.01
    # https://aws.amazon.com/lambda/pricing/ (x86).
    lambda_per_million: NonNegativeFloat = 0.20
    lambda_gb_second: NonNegativeFloat = 0.0000166667
    # https://aws.amazon.com/ebs/pricing/: gp3 with what is included in it, and snapshots.
    disk_gb_month: NonNegativeFloat = 0.08
    snapshot_gb_month: NonNegativeFloat = 0.05
    # https://aws.amazon.com/vpc/pricing/: a public IPv4 address in use.
    address_hour: NonNegativeFloat = 0.005

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a JSON file with some of these names; what it leaves out stays as it is here.

        Raises:
            PricesError: it cannot be read, has another name, or a value that is no number from 0 on.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise PricesError(f"{path}: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            entry = ".".join(map(str, first["loc"]))
            known = f"; the names are {', '.join(cls.model_fields)}" if first["type"] == "extra_forbidden" else ""
            raise PricesError(f"{path}: {entry + ': ' if entry else ''}{first['msg']}{known}") from error

    def call(self, service: str, action: str) -> float:
        """One call of S3 or SQS by its action's name; those of other services are free here."""
        if service == "sqs":
            return self.sqs_per_million / 1e6
        if service != "s3" or action.startswith("Delete"):
            return 0.0
        is_put = action.startswith(("Put", "List", "Copy", "Post"))
        return (self.s3_put_per_1000 if is_put else self.s3_get_per_1000) / 1000
