# Edit a picture with the server's own API and curl: `bash curl_edit.sh apple.png` writes edited.png.
# Needs curl, a running `overpaint serve`, and its key in OVERPAINT_KEY.

set -eu
answer=$(curl -sS --fail-with-body "${OVERPAINT_URL:-http://localhost:8000}/overpaint/v1/tasks?wait_s=60" \
  -H "Authorization: Bearer $OVERPAINT_KEY" \
  -F prompt="replace the apple with a banana" -F images=@"$1" -F seed=1) || { echo "$answer" >&2; exit 1; }
url=$(printf %s "$answer" | grep -o '"url": *"[^"]*/files/[^"]*"' | head -n 1 | cut -d'"' -f4)
curl -sS --fail "$url" -o edited.png
