"""Why the private cloud cannot be brought to what is wanted, and what helps."""


class NovaError(Exception):
    """Something that a person must know and can mend: `text` says what is the matter, `remedy` what to do."""

    def __init__(self, text: str, remedy: str) -> None:
        super().__init__(f"{text}\n{remedy}")
        self.text = text
        self.remedy = remedy
