"""curl against the native API."""

import json
import shlex

from overpaint.playground.snippets.snippet import KEY_VARIABLE, CodeRequest, Snippet, native_body


def _render(request: CodeRequest) -> str:
    body = json.dumps(native_body(request), ensure_ascii=False, indent=2)
    key = request.key or f"${KEY_VARIABLE}"
    return (
        f"curl -sS '{request.base}/overpaint/v1/tasks?wait_s=120' \\\n"
        f'  -H "Authorization: Bearer {key}" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}\n"
    )


CURL = Snippet("curl", "curl", "bash", "native", _render)
