"""Edit a picture with OpenAI's own client: `python openai_edit.py apple.png` writes edited.png.

Needs `pip install openai`, a running `overpaint serve`, and its key in OVERPAINT_KEY.
"""

import base64
import os
import sys
from pathlib import Path

from openai import OpenAI

server = os.environ.get("OVERPAINT_URL", "http://localhost:8000")
client = OpenAI(api_key=os.environ["OVERPAINT_KEY"], base_url=f"{server}/openai/v1")

with Path(sys.argv[1]).open("rb") as picture:
    stream = client.images.edit(
        image=picture, prompt="replace the apple with a banana", stream=True, partial_images=3, extra_body={"seed": 1}
    )
    for event in stream:
        if event.type == "image_edit.partial_image":
            print(f"preview {event.partial_image_index}: {event.size}")
        else:
            Path("edited.png").write_bytes(base64.b64decode(event.b64_json))
