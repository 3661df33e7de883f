"""The way to the private cloud: the standard clouds.yaml and OS_* variables, proved at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import openstack
from openstack.connection import Connection

from web_tier.nova.explain import CLOUD_ERRORS, explain


@contextmanager
def connected(name: str | None) -> Iterator[Connection]:
    """A connection to the cloud of that name in clouds.yaml; without one, to what the OS_* variables say.

    What the cloud refuses while it is open is explained.

    Raises:
        NovaError: there is no such cloud, it cannot be reached, or it refuses who we are.
    """
    auth_type = "password"
    try:
        with openstack.connect(cloud=name) as cloud:
            auth_type = str(cloud.config.config.get("auth_type", auth_type))
            cloud.session.get_token()
            yield cloud
    except CLOUD_ERRORS as error:
        raise explain(error, auth_type=auth_type) from error
