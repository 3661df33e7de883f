"""A Ray Serve deployment on one machine: `python -m bench.peers.ray.server PORT REPLICAS FOLDER`."""

import sys

import ray
from ray import serve
from starlette.requests import Request

from bench.peers.model import PhotoModel


class Photos:
    """From a photo to its label."""

    def __init__(self) -> None:
        self.model = PhotoModel()

    async def __call__(self, request: Request) -> str:
        """The label of the form's photo."""
        form = await request.form()
        return self.model.classify(await form["image"].read())


def main(port: int, replicas: int, folder: str) -> None:
    """Serve until killed, on loopback."""
    ray.init(num_cpus=replicas, include_dashboard=False, _node_ip_address="127.0.0.1", _temp_dir=folder)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    deployment = serve.deployment(num_replicas=replicas, ray_actor_options={"num_cpus": 1})(Photos)
    serve.run(deployment.bind(), blocking=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
