"""EC2: launches are idempotent, follow their launch template, and take the time that the instance host says."""

import copy
import threading
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError, MissingParameterError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance, InstanceState, Reservation
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import filter_dict_attribute_mapping

from local_cloud.mends.patching import replace

# Instance states and their codes: EC2's API reference, InstanceState.
PENDING, RUNNING = (0, "pending"), (16, "running")
SHUTTING_DOWN, TERMINATED = (32, "shutting-down"), (48, "terminated")
STOPPING, STOPPED = (64, "stopping"), (80, "stopped")
# What a request says about itself, not about the instances it wants.
_NOT_COMPARED = frozenset({"ClientToken", "DryRun"})
# The root volume of the images that moto knows.
_IMAGE_GIBIBYTES = 8

_launching = threading.RLock()


def apply() -> None:
    """Install the mends of this module."""
    _a_client_token_launches_once()
    _as_many_as_max_count()
    _a_launch_is_seen_whole()
    _the_launch_template_is_followed()
    _instances_take_their_time()
    filter_dict_attribute_mapping["client-token"] = "client_token"  # Why: a filter that AWS has; moto answers 500.


def set_state(instance: Instance, state: tuple[int, str]) -> None:
    """Move an instance into one of the states above."""
    instance._state.code, instance._state.name = state


def _a_client_token_launches_once() -> None:
    # Why: moto ignores the token, so a retried or doubled launch makes twice the fleet. One that failed used it, too.
    launched: dict[tuple[str, str, str], tuple[dict[str, Any], Any]] = {}

    @replace(InstanceResponse, "run_instances")
    def run_instances(original: Any, self: InstanceResponse) -> Any:
        token = self._get_param("ClientToken", "")
        key = (self.current_account, self.region, token)
        wanted = {name: value for name, value in self._get_params().items() if name not in _NOT_COMPARED}
        with _launching:
            first, answer = launched.get(key, (wanted, None))
            if first == wanted and answer is None:
                if token:
                    launched[key] = (wanted, None)
                answer = original(self)
                if token:
                    launched[key] = (wanted, answer)
                return answer
        if first != wanted:
            raise EC2ClientError(
                "IdempotentParameterMismatch",
                f"Arguments on this idempotent request are inconsistent with arguments used in previous request(s) "
                f"with client token {token}.",
            )
        reservation: Reservation = answer.result
        if all(instance.state == TERMINATED[1] for instance in reservation.instances):
            raise EC2ClientError(
                "IdempotentInstanceTerminated",
                f"The instances launched with client token {token} are terminated.",
            )
        return answer


def _as_many_as_max_count() -> None:
    # Why: moto launches MinCount; AWS launches as many as it can up to MaxCount, and there is no shortage here.
    @replace(InstanceResponse, "run_instances")
    def run_instances(original: Any, self: InstanceResponse) -> Any:
        most = self._get_param("MaxCount")
        if int(most) < int(self._get_param("MinCount")):
            raise EC2ClientError("InvalidParameterValue", "MaxCount must not be less than MinCount")
        self.params = {**self.params, "MinCount": most}
        return original(self)


def _a_launch_is_seen_whole() -> None:
    # Why: moto shows a reservation while it is still adding instances to it, for as long as a second with twenty.
    @replace(InstanceResponse, "describe_instances")
    def describe_instances(original: Any, self: InstanceResponse) -> Any:
        with _launching:
            return original(self)


def _the_launch_template_is_followed() -> None:
    # Why: moto takes image, type, user data, tags and groups from the template and leaves the rest of it out.
    @replace(EC2Backend, "run_instances")
    def run_instances(original: Any, self: EC2Backend, image_id: str | None, *args: Any, **kwargs: Any) -> Any:
        named = kwargs.get("launch_template")
        template = self._get_template_from_args(named).data if named else {}
        if not kwargs.get("instance_initiated_shutdown_behavior"):
            kwargs["instance_initiated_shutdown_behavior"] = template.get("InstanceInitiatedShutdownBehavior")
        kwargs["metadata_options"] = {**template.get("MetadataOptions", {}), **kwargs.get("metadata_options", {})}
        if "block_device_mappings" not in kwargs and (devices := template.get("BlockDeviceMappings")):
            # Why: moto demands a size or a snapshot; AWS takes what is left out from the image.
            sized = [{**device, "Ebs": {"VolumeSize": _IMAGE_GIBIBYTES, **device["Ebs"]}} for device in devices]
            kwargs["block_device_mappings"] = sized
        image_id = image_id or template.get("ImageId")
        if not image_id:
            raise MissingParameterError("ImageId")
        # Why: moto boots any image id; AWS refuses one that does not exist (InvalidAMIID.NotFound).
        self.describe_images(ami_ids=[image_id])
        reservation: Reservation = original(self, image_id, *args, **kwargs)
        _give_profile(self, reservation, kwargs, template.get("IamInstanceProfile", {}))
        return reservation


def _give_profile(backend: EC2Backend, launched: Reservation, asked: dict[str, Any], template: dict[str, Any]) -> None:
    """Give every instance its instance profile; moto gives one named in the request to the first instance alone."""
    name, arn = asked.get("iam_instance_profile_name"), asked.get("iam_instance_profile_arn")
    without = launched.instances[1:] if name or arn else launched.instances
    name, arn = (name, arn) if name or arn else (template.get("Name"), template.get("Arn"))
    for instance in without if name or arn else []:
        backend.associate_iam_instance_profile(
            instance.id, iam_instance_profile_name=name, iam_instance_profile_arn=arn
        )


def _instances_take_their_time() -> None:
    # Why: moto's instances run, stop and terminate at once; here the instance host boots a launched one, and calls one
    # stopped or terminated when its processes have ended.
    @replace(Instance, "__init__")
    def launch(original: Any, self: Instance, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        set_state(self, PENDING)

    @replace(Instance, "start")
    def start(original: Any, self: Instance) -> InstanceState:
        previous = copy.copy(self._state)
        if self.state not in {STOPPED[1], PENDING[1], RUNNING[1]}:
            raise EC2ClientError(
                "IncorrectInstanceState",
                f"The instance '{self.id}' is not in a state from which it can be started.",
            )
        if self.state == STOPPED[1]:
            original(self)
            set_state(self, PENDING)
            self.launch_time = utcnow()
        return previous

    @replace(Instance, "stop")
    def stop(original: Any, self: Instance) -> InstanceState:
        previous = copy.copy(self._state)
        if self.state in {SHUTTING_DOWN[1], TERMINATED[1]}:
            raise EC2ClientError("IncorrectInstanceState", f"The instance '{self.id}' is being terminated.")
        if self.state in {PENDING[1], RUNNING[1]}:
            original(self)
            set_state(self, STOPPING)
        return previous

    @replace(Instance, "terminate")
    def terminate(original: Any, self: Instance) -> InstanceState:
        previous = copy.copy(self._state)
        if self.state not in {SHUTTING_DOWN[1], TERMINATED[1]}:
            original(self)
            set_state(self, SHUTTING_DOWN)
        return previous
