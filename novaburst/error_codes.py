"""The fixed list of codes with which an image can be refused or answered without a label."""

from enum import StrEnum


class ErrorCode(StrEnum):
    """Why an image has no label. The first five are also given by the web tier at upload."""

    EMPTY_FILE = "empty_file"
    TOO_LARGE = "too_large"
    UPLOAD_INCOMPLETE = "upload_incomplete"
    NOT_STORED = "not_stored"
    BAD_KEY = "bad_key"
    NOT_AN_IMAGE = "not_an_image"
    DAMAGED_IMAGE = "damaged_image"
    TOO_MANY_PIXELS = "too_many_pixels"
    OBJECT_MISSING = "object_missing"
    WORKER_CRASHED = "worker_crashed"
    INTERNAL_ERROR = "internal_error"


REMEDIES: dict[ErrorCode, str] = {
    ErrorCode.EMPTY_FILE: "The file has no bytes: check that it was saved completely, then upload it again.",
    ErrorCode.TOO_LARGE: "The file is larger than the limit: scale it down or save it with more compression.",
    ErrorCode.UPLOAD_INCOMPLETE: "The upload stopped before the end of the file: upload it again.",
    ErrorCode.NOT_STORED: "The file could not be stored or queued just now: upload it again in a moment.",
    ErrorCode.BAD_KEY: "The object's key cannot be used: copy the object to a key of at most a few hundred characters.",
    ErrorCode.NOT_AN_IMAGE: "The file is in no image format we know: convert it to JPEG or PNG.",
    ErrorCode.DAMAGED_IMAGE: "The image file is damaged or cut short: export or copy it again.",
    ErrorCode.TOO_MANY_PIXELS: "The image has more pixels than the limit: scale it down.",
    ErrorCode.OBJECT_MISSING: "The stored image is gone (deleted or expired): upload it again.",
    ErrorCode.WORKER_CRASHED: "Workers died while they classified this image: convert it to a plain JPEG or PNG.",
    ErrorCode.INTERNAL_ERROR: "Something unexpected went wrong: upload it again; tell the operator if it recurs.",
}
