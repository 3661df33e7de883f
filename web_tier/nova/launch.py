"""Carries out a whole plan, and says which step it is at: one line before it and one after."""

from collections.abc import Callable

from openstack.connection import Connection

from web_tier.nova.apply import Execution
from web_tier.nova.explain import CLOUD_ERRORS, explain
from web_tier.nova.plan import Plan
from web_tier.nova.resources import Kind
from web_tier.nova.wanted import Wanted


def carry_out(
    cloud: Connection,
    plan: Plan,
    wanted: Wanted | None,
    say: Callable[[str], None],
    progress: Callable[[int, int], None],
) -> dict[Kind, str]:
    """Do the plan's steps in order; the ids of all that there is then, by kind.

    Args:
        cloud: the cloud.
        plan: what to do.
        wanted: what the plan was made from; None for one that only deletes.
        say: told a line before and after each step.
        progress: told the bytes sent, and the bytes in all, of an image.

    Raises:
        NovaError: a step failed; what was done before it stays, and the command completes it when it is run again.
    """
    execution = Execution(cloud, plan.known, wanted, progress)
    for number, step in enumerate(plan.steps, 1):
        say(f"[{number}/{len(plan.steps)}] {step}: {step.why}")
        try:
            execution.run(step)
        except CLOUD_ERRORS as error:
            raise explain(error, step, str(cloud.config.config.get("auth_type", ""))) from error
        say(f"[{number}/{len(plan.steps)}] done")
    return execution.ids
