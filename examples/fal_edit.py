"""Edit a picture with fal's own client: `python fal_edit.py apple.png` writes edited.png.

Needs `pip install fal-client`, a running `overpaint serve --tls-self-signed`, its key in OVERPAINT_KEY, and its
certificate (overpaint-data/self-signed.crt) in SSL_CERT_FILE. A shell can export the hosts just as well.
"""

import os
import sys
from pathlib import Path

import httpx

scheme, _, host = os.environ.get("OVERPAINT_URL", "https://localhost:8000").partition("://")
if scheme != "https":
    sys.exit("fal's client speaks TLS only: start the server with --tls-self-signed, and give an https:// URL")
os.environ["FAL_RUN_HOST"] = f"{host}/fal/run"
os.environ["FAL_QUEUE_RUN_HOST"] = f"{host}/fal/queue"
os.environ["FAL_KEY"] = os.environ["OVERPAINT_KEY"]

import fal_client  # noqa: E402 - reads its hosts when it is imported

result = fal_client.subscribe(
    "fal-ai/qwen-image-edit-plus",
    {
        "prompt": "replace the apple with a banana",
        "image_urls": [fal_client.encode_file(sys.argv[1])],
        "num_inference_steps": 4,
        "seed": 1,
    },
)
Path("edited.png").write_bytes(httpx.get(result["images"][0]["url"]).content)
