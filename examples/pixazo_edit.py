"""Edit a picture as Pixazo's documents show it: `python pixazo_edit.py apple.png` writes edited.png.

Needs `pip install requests`, a running `overpaint serve`, and its key in OVERPAINT_KEY.
"""

import base64
import os
import sys
from pathlib import Path

import requests

server = os.environ.get("OVERPAINT_URL", "http://localhost:8000")
picture = base64.b64encode(Path(sys.argv[1]).read_bytes()).decode()
answer = requests.post(
    f"{server}/pixazo/qwen-image-lite/v1/qwen-image-lite-request",
    json={"image_url": picture, "prompt": "replace the apple with a banana", "seed": 1},
    headers={"Ocp-Apim-Subscription-Key": os.environ["OVERPAINT_KEY"]},
    timeout=120,
)
answer.raise_for_status()
Path("edited.png").write_bytes(requests.get(answer.json()["images"][0]["url"], timeout=30).content)
