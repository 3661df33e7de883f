"""POST /api/v1/batches/<id>/presigned and .../presigned/complete: uploads that go straight to S3.

The first gives a form for each file; the client posts each file with its form's fields to S3, and then says to the
second which ones are there. Forms are good for an hour. What nobody says to be there is deleted an hour after that.
"""

from typing import Annotated, Any

from flask import Blueprint, Response, jsonify, url_for
from pydantic import BaseModel, ConfigDict, Field

from novaburst.bounds import PRESIGNED_SECONDS
from novaburst.contract import Failure
from novaburst.error_codes import ErrorCode
from web_tier.access import charge_bytes
from web_tier.bodies import json_body, room_for_json
from web_tier.existing import batch_created
from web_tier.images import Image, as_json, failure_json
from web_tier.tier import tier

blueprint = Blueprint("presigned", __name__)

# Files of one request, and bytes of its body. Each is an object of two members, so four strings and three more pieces.
_FILES = 1000
_MAX_BODY_BYTES = 4 * 1024 * 1024
_MAX_PIECES = 7 * _FILES + 100

_MISSING = Failure(
    code=ErrorCode.OBJECT_MISSING, detail="no form of this batch has this id, or its file has not arrived"
)


class ExpectedFile(BaseModel):
    """A file that is to be sent."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    # Its media type, which the form holds the client to.
    type: Annotated[str, Field(pattern=r"^[a-z]+/[A-Za-z0-9.+-]{1,100}$")] = "application/octet-stream"


class PresignedRequest(BaseModel):
    """The files for which forms are asked."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    files: Annotated[list[ExpectedFile], Field(min_length=1, max_length=_FILES)]


class CompleteRequest(BaseModel):
    """The ids of forms whose files were sent."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    ids: Annotated[
        list[Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]], Field(min_length=1, max_length=_FILES)
    ]


@blueprint.post("/api/v1/batches/<batch>/presigned")
@room_for_json()
def issue(batch: str) -> Response:
    """A form for each file, in order."""
    batch_created(batch)
    asked = json_body(PresignedRequest, _MAX_BODY_BYTES, _MAX_PIECES)
    forms = tier().tickets.issue(batch, [(file.name, file.type) for file in asked.files])
    response = jsonify(
        batch=batch,
        expires_seconds=PRESIGNED_SECONDS,
        max_bytes=tier().settings.max_image_bytes,
        complete=url_for("presigned.complete", batch=batch),
        uploads=[{"id": form.id, "name": form.name, "url": form.url, "fields": form.fields} for form in forms],
    )
    response.status_code = 201
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/api/v1/batches/<batch>/presigned/complete")
@room_for_json()
def complete(batch: str) -> Response:
    """Queue the files that are there, and say of each whether it is; to say so twice is harmless."""
    batch_created(batch)
    ids = json_body(CompleteRequest, _MAX_BODY_BYTES, _MAX_PIECES).ids
    completed = tier().tickets.complete(batch, ids)
    charge_bytes(completed.new_bytes)
    response = jsonify(
        batch=batch,
        accepted=sum(image is not None for image in completed.images),
        images=[_view(image_id, image) for image_id, image in zip(ids, completed.images, strict=True)],
    )
    response.status_code = 202
    return response


def _view(image_id: str, image: Image | None) -> dict[str, Any]:
    if image is None:
        return {"id": image_id, "accepted": False, "error": failure_json(_MISSING)}
    return {"accepted": True} | as_json(image)
