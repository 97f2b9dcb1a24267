"""Edit a picture with DashScope's own client: `python dashscope_edit.py apple.png` writes edited.png.

Needs `pip install dashscope`, a running `overpaint serve`, and its key in OVERPAINT_KEY.
"""

import os
import sys
import urllib.request

import dashscope

server = os.environ.get("OVERPAINT_URL", "http://localhost:8000")
dashscope.base_http_api_url = f"{server}/dashscope/api/v1"
dashscope.api_key = os.environ["OVERPAINT_KEY"]

content = [{"image": sys.argv[1]}, {"text": "replace the apple with a banana"}]
answer = dashscope.MultiModalConversation.call(
    model="qwen-image-edit-plus", messages=[{"role": "user", "content": content}], seed=1
)
if answer.status_code != 200:
    sys.exit(f"{answer.code}: {answer.message}")
urllib.request.urlretrieve(answer.output.choices[0].message.content[0]["image"], "edited.png")
