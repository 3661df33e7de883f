"""Workers of an older version of the launch template: whoever stands by ends, whoever works is sent away."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from novaburst.descriptions import default_session
from scaling_lambda.apply import apply
from scaling_lambda.clock import Clock, SystemClock
from scaling_lambda.fleet import FLEET_TAG, VIEW_SETTLES, Action, Counts, Instance, Observation, State
from scaling_lambda.launch import Launcher, Places
from scaling_lambda.policy import Plan

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

# EC2 writes them on each instance that is launched from a template, and nobody else can.
_TEMPLATE_TAG = "aws:ec2launchtemplate:id"
_VERSION_TAG = "aws:ec2launchtemplate:version"
_DOWN = frozenset({State.STOPPING, State.STOPPED})
# A version that is younger than this, by this machine's clock, may have been made by the deployment just now.
_NEW = timedelta(minutes=5)
# An evaluation of the Lambda lasts seconds; what it undoes is seen by the look after it.
_LOOKS = 5


class UpgradeError(RuntimeError):
    """Workers of an older version may still be there; the text says what AWS refused."""


@dataclass(frozen=True)
class Upgrade:
    """Ids of the workers that were outdated: ended, sent away, and left alone since a person keeps them."""

    ended: tuple[str, ...] = ()
    sent_away: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def replace_outdated(prefix: str, client: "EC2Client | None" = None, clock: Clock | None = None) -> Upgrade:
    """Let no worker of the fleet `prefix` go on, or be started again, from an older version of its launch template.

    What is found decides, not what this deployment changed, so one that was interrupted is made up for by the next. Who
    works finishes what it holds, and the Lambda launches others as ever. A launch that EC2 did not show yet and an
    evaluation of the Lambda that was under way are seen by another look, 15 s later.

    Args:
        prefix: the deployment's.
        client: of the AWS that holds the fleet; by default the one that the standard `AWS_*` variables select.
        clock: the present, and the passing of time between two looks.

    Raises:
        UpgradeError: EC2 refused something, or some were still there after the last look.
    """
    ec2 = client if client is not None else default_session().client("ec2")
    time = clock if clock is not None else SystemClock()
    ended: set[str] = set()
    sent_away: set[str] = set()
    refused: list[str] = []
    try:
        latest, certain = _latest(ec2, prefix, time.now())
        for _ in range(_LOOKS):
            outdated = _outdated(ec2, prefix, latest)
            down = [i for i in outdated if i.state in _DOWN and not i.keep]
            active = [i for i in outdated if i.active and not i.keep and (i.sent_away is None or i.standby)]
            if certain and not down and not active:
                kept = (i.id for i in outdated if i.keep and (i.active or i.state in _DOWN))
                return Upgrade(tuple(sorted(ended)), tuple(sorted(sent_away)), tuple(sorted(kept)))
            ended.update(i.id for i in down)
            sent_away.update(i.id for i in active)
            # What was refused once may have ended by itself in between.
            before, refused = refused, _end(ec2, prefix, time.now(), down, active)
            if before and refused:
                break
            certain = True
            time.sleep(VIEW_SETTLES.total_seconds())
    except (ClientError, BotoCoreError) as error:
        refused = [str(error)]
    lines = "\n  ".join(refused or ["the Lambda goes on starting them or having them stand by"])
    raise UpgradeError(f"workers of an older launch template may still be there:\n  {lines}")


@dataclass(frozen=True)
class _Version:
    template: str
    number: int

    def outdates(self, tags: Mapping[str, str]) -> bool:
        """Whether an instance with these tags is of an older version, or of the template of a stack that is gone."""
        return tags[_TEMPLATE_TAG] != self.template or int(tags[_VERSION_TAG]) < self.number


def _latest(ec2: "EC2Client", prefix: str, now: datetime) -> tuple[_Version, bool]:
    """The newest version, and whether it is long enough ago that EC2 shows every launch from the one before."""
    answer = ec2.describe_launch_template_versions(LaunchTemplateName=f"{prefix}-worker", Versions=["$Latest"])
    (version,) = answer["LaunchTemplateVersions"]
    number = version["VersionNumber"]
    return _Version(version["LaunchTemplateId"], number), number == 1 or abs(now - version["CreateTime"]) >= _NEW


def _outdated(ec2: "EC2Client", prefix: str, latest: _Version) -> list[Instance]:
    """The fleet's instances of older versions; one that was launched without a template is nobody's to judge."""
    pages = ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": f"tag:{FLEET_TAG}", "Values": [prefix]}, {"Name": "tag-key", "Values": [_VERSION_TAG]}]
    )
    found = []
    for described in (one for page in pages for r in page["Reservations"] for one in r["Instances"]):
        tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
        if latest.outdates(tags):
            state, spot = State(described["State"]["Name"]), described.get("InstanceLifecycle") == "spot"
            found.append(Instance.from_tags(described["InstanceId"], state, described["LaunchTime"], tags, spot=spot))
    return found


def _end(ec2: "EC2Client", prefix: str, now: datetime, down: list[Instance], active: list[Instance]) -> list[str]:
    """End those that are down and send the others away, which are to end as well; what was refused, in words."""
    reason = "a newer version of the launch template"
    plan = Plan(
        want=0,
        have=0,
        launch=0,
        reason=reason,
        terminate=tuple(Action(instance.id, reason) for instance in down),
        # Sent away alone it would stop and stand by. A spot instance never does.
        stand_down=tuple(Action(instance.id, reason) for instance in active if not instance.spot),
        leave=tuple(Action(instance.id, reason) for instance in active),
    )
    observation = Observation(now, Counts(0, 0, 0), (*down, *active))
    return apply(plan, observation, ec2, Launcher(ec2, Places(f"{prefix}-worker", prefix))).failures
