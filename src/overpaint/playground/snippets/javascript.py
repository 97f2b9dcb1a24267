"""JavaScript with nothing but `fetch`, for Node 20 and newer, against the native API."""

import json

from overpaint.playground.snippets.snippet import KEY_VARIABLE, CodeRequest, Snippet, native_body


def _render(request: CodeRequest) -> str:
    body = json.dumps(native_body(request), ensure_ascii=False, indent=2).replace("\n", "\n  ")
    key = json.dumps(request.key) if request.key else f"process.env.{KEY_VARIABLE}"
    return f"""import {{ writeFile }} from "node:fs/promises";

const response = await fetch("{request.base}/overpaint/v1/tasks?wait_s=120", {{
  method: "POST",
  headers: {{ Authorization: `Bearer ${{{key}}}`, "Content-Type": "application/json" }},
  body: JSON.stringify({body}),
}});
const task = await response.json();
if (task.state !== "succeeded") throw new Error(JSON.stringify(task));
for (const [index, image] of task.images.entries()) {{
  const name = `picture-${{index}}.${{image.media_type.split("/")[1]}}`;
  await writeFile(name, Buffer.from(await (await fetch(image.url)).arrayBuffer()));
  console.log(name, image.url);
}}
"""


FETCH = Snippet("javascript", "JavaScript", "javascript", "native", _render, "save it as paint.mjs; node paint.mjs")
