"""What every resource of one deployment carries: it is found again by it, and nothing else is ever touched."""

from dataclasses import dataclass

# Of a server's metadata, and of an image's properties, which take no colon.
SERVER_KEY = "novaburst:deployment"
IMAGE_PROPERTY = "novaburst_deployment"
# What the server was made from, in its metadata: the API shows its user data to no one but operators.
USER_DATA_KEY = "novaburst:user-data"


@dataclass(frozen=True)
class Mark:
    """The mark of the deployment `prefix`."""

    prefix: str

    @property
    def name(self) -> str:
        """The name of each resource; alone, it marks only a key pair, which can carry nothing else."""
        return f"{self.prefix}-web-tier"

    @property
    def tag(self) -> str:
        """The tag in Neutron. It is the description too: that is set by the call that creates a resource."""
        return f"novaburst:{self.prefix}"
