"""A stand-in for a queue, for those who only send."""


class Sent:
    """A queue that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def send(self, bodies: list[str]) -> list[int]:
        self.messages += bodies
        return []
