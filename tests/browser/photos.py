"""Files to choose in the browser, made on the spot."""

import io

from PIL import Image
from playwright.sync_api import FilePayload


def photo(name: str, colour: str) -> FilePayload:
    """A PNG of 320 by 240 pixels in shades of a colour."""
    picture = Image.linear_gradient("L").convert("RGB").resize((320, 240))
    picture = Image.blend(picture, Image.new("RGB", (320, 240), colour), 0.6)
    image = io.BytesIO()
    picture.save(image, "PNG")
    return file(name, "image/png", image.getvalue())


def file(name: str, kind: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": kind, "buffer": data}
