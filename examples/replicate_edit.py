"""Edit a picture with Replicate's own client: `python replicate_edit.py apple.png` writes edited.png.

Needs `pip install replicate`, a running `overpaint serve`, and its key in OVERPAINT_KEY.
"""

import os
import sys
from pathlib import Path

from replicate import Client

server = os.environ.get("OVERPAINT_URL", "http://localhost:8000")
client = Client(api_token=os.environ["OVERPAINT_KEY"], base_url=f"{server}/replicate")

asked = {"image": Path(sys.argv[1]), "prompt": "replace the apple with a banana", "seed": 1, "output_format": "png"}
(output,) = client.run("qwen/qwen-image-edit", input=asked)
Path("edited.png").write_bytes(output.read())
