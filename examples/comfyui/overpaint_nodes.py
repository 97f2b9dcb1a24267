"""A ComfyUI node that has an Overpaint server edit or paint pictures.

Copy this file into ComfyUI's custom_nodes folder. The server's address and key come from OVERPAINT_URL and
OVERPAINT_KEY. Needs nothing that ComfyUI does not bring.
"""

import base64
import io
import json
import os
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import torch
from PIL import Image

SERVER = os.environ.get("OVERPAINT_URL", "http://localhost:8000").rstrip("/")
KEY = os.environ.get("OVERPAINT_KEY", "")
TIMEOUT_S = 300


class OverpaintEdit:
    """Edits one or more pictures by an instruction; without a picture it paints from words."""

    CATEGORY = "image/overpaint"
    FUNCTION = "paint"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name for it
        """What ComfyUI shows."""
        return {
            "required": {
                "prompt": ("STRING", {"multiline": True}),
                "seed": ("INT", {"default": 0, "min": 0, "max": 2**31 - 1, "control_after_generate": True}),
                "steps": ("INT", {"default": 0, "min": 0, "max": 200, "tooltip": "0 takes the model's own number"}),
                "size": ("STRING", {"default": "auto", "tooltip": "1024x768, or auto: the last picture's shape"}),
            },
            "optional": {
                "images": ("IMAGE",),
                "mask": ("MASK",),
                "negative_prompt": ("STRING", {"multiline": True}),
                "model": ("STRING", {"default": "", "tooltip": "Empty: the server's first, which takes 6 pictures"}),
            },
        }

    def paint(
        self,
        prompt: str,
        seed: int,
        steps: int,
        size: str,
        images: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        negative_prompt: str = "",
        model: str = "",
    ) -> tuple[torch.Tensor]:
        """One call of the server's OpenAI dialect. `images` is (batch, height, width, channels) from 0 to 1."""
        body: dict[str, Any] = {"prompt": prompt, "seed": seed, "size": size}
        if steps:
            body["num_inference_steps"] = steps
        if negative_prompt:
            body |= {"negative_prompt": negative_prompt, "true_cfg_scale": 4}
        if model:
            body["model"] = model
        if images is not None:
            body["images"] = [{"image_url": _data_uri(image)} for image in images]
        if mask is not None:
            body["mask_image"] = {"image_url": _data_uri(mask.reshape(-1, *mask.shape[-2:])[0])}
        path = "/openai/v1/images/generations" if images is None else "/openai/v1/images/edits"
        return (torch.stack([_tensor(item["b64_json"]) for item in _post(path, body)["data"]]),)


def _post(path: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(SERVER + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"Overpaint: {_message(error)}") from error
    except urllib.error.URLError as error:
        raise RuntimeError(f"Overpaint: {SERVER} cannot be reached: {error.reason}") from error


def _message(error: urllib.error.HTTPError) -> str:
    """What the server says; what stands between may answer in its own words."""
    try:
        return json.load(error)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return f"{SERVER} answers {error.code} {error.reason}"


def _data_uri(picture: torch.Tensor) -> str:
    """A picture or a mask (white may change) as PNG."""
    samples = (picture.cpu().numpy() * 255).round().clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(samples).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _tensor(text: str) -> torch.Tensor:
    image = Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")
    return torch.from_numpy(np.asarray(image).astype(np.float32) / 255)


NODE_CLASS_MAPPINGS = {"OverpaintEdit": OverpaintEdit}
NODE_DISPLAY_NAME_MAPPINGS = {"OverpaintEdit": "Overpaint: edit or paint"}
