"""An ML2 mechanism driver for hosts without an agent: every port is bound as soon as it is asked for."""
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class LoopbackDriver(api.MechanismDriver):
    def initialize(self):
        """Needs nothing."""

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        segments = context.segments_to_bind
        if segments:
            context.set_binding(segments[0][api.ID], portbindings.VIF_TYPE_OVS, {portbindings.CAP_PORT_FILTER: True},
                                status=constants.PORT_STATUS_ACTIVE)
