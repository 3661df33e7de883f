"""A mechanism driver of Neutron's ML2 for a control plane without agents: each port is bound at once, and is active."""

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class Agentless(api.MechanismDriver):
    """Says of every port, on whatever host, that somebody has plugged it in."""

    def initialize(self):
        """Nothing to prepare."""

    def bind_port(self, context):
        """Bind it to the first segment that is offered."""
        first = context.segments_to_bind[0]
        details = {portbindings.CAP_PORT_FILTER: True}
        context.set_binding(first[api.ID], portbindings.VIF_TYPE_OVS, details, status=constants.PORT_STATUS_ACTIVE)
