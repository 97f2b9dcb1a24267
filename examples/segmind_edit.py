"""Edit a picture with Segmind's own client: `python segmind_edit.py apple.png` writes edited.png.

Needs `pip install segmind`, a running `overpaint serve`, and its key in OVERPAINT_KEY.
"""

import base64
import os
import sys
from pathlib import Path

from segmind import SegmindClient

server = os.environ.get("OVERPAINT_URL", "http://localhost:8000")
client = SegmindClient(api_key=os.environ["OVERPAINT_KEY"], base_url=f"{server}/segmind/v1", timeout=120)

picture = base64.b64encode(Path(sys.argv[1]).read_bytes()).decode()
answer = client.run_sync("qwen-image-edit", image=picture, prompt="replace the apple with a banana", seed=1)
Path("edited.png").write_bytes(answer.content)
