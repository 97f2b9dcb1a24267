"""Edit a picture with WaveSpeed's own client: `python wavespeed_edit.py apple.png` writes edited.png.

Needs `pip install wavespeed`, a running `overpaint serve`, and its key in OVERPAINT_KEY.
"""

import os
import sys
import urllib.request

from wavespeed import Client

server = os.environ.get("OVERPAINT_URL", "http://localhost:8000")
client = Client(api_key=os.environ["OVERPAINT_KEY"], base_url=f"{server}/wavespeed")

asked = {"images": [client.upload(sys.argv[1])], "prompt": "replace the apple with a banana", "output_format": "png"}
answer = client.run("wavespeed-ai/qwen-image-2.0/edit", asked)
urllib.request.urlretrieve(answer["outputs"][0], "edited.png")
