"""Edit a picture as AtlasCloud's documents show it: `python atlas_edit.py apple.png` writes edited.png.

Needs `pip install requests`, a running `overpaint serve`, and its key in OVERPAINT_KEY.
"""

import os
import sys
import time
from pathlib import Path

import requests

base = os.environ.get("OVERPAINT_URL", "http://localhost:8000") + "/atlas/api/v1/model"
headers = {"Authorization": f"Bearer {os.environ['OVERPAINT_KEY']}"}

with Path(sys.argv[1]).open("rb") as file:
    upload = requests.post(f"{base}/uploadMedia", files={"file": file}, headers=headers, timeout=30).json()
body = {"model": "qwen/qwen-image-2.0/edit", "images": [upload["url"]], "prompt": "replace the apple with a banana"}
answer = requests.post(f"{base}/generateImage", json=body, headers=headers, timeout=30)
answer.raise_for_status()
data = answer.json()["data"]
while data["status"] == "processing":
    time.sleep(0.5)
    data = requests.get(f"{base}/prediction/{data['id']}", headers=headers, timeout=30).json()["data"]
if data["status"] == "failed":
    sys.exit(data["error"])
Path("edited.png").write_bytes(requests.get(data["outputs"][0], timeout=30).content)
