"""Why an image gets no label, as an exception that any stage may raise."""

from novaburst.error_codes import ErrorCode


class ImageRefusedError(Exception):
    """This image has no label: `code` says which kind of refusal, `detail` what was seen."""

    def __init__(self, code: ErrorCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
