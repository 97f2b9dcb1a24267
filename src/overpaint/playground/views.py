"""Tasks, sessions and runs as the page's own components take them: plain JSON values. Decides nothing."""

from dataclasses import dataclass
from typing import Any

from overpaint.core.account import MICRO
from overpaint.core.errors import BackendError
from overpaint.core.sizes import Size
from overpaint.core.task import StoredFile, Task, TaskOutput, TaskState
from overpaint.playground.live import Live
from overpaint.playground.telling import reason
from overpaint.playground.wording import Words
from overpaint.service.links import FileLinks
from overpaint.service.service import Service


@dataclass(frozen=True, slots=True)
class Views:
    """Makes views.

    Args:
        links: paths of files.
        words: of the page's language.
    """

    links: FileLinks
    words: Words

    def run(self, task: Task, live: Live | None) -> dict[str, Any]:
        """A task as the canvas shows it, with everything that is known of it."""
        spec = task.spec
        return {
            **self.card(task, live),
            "source": self.file(spec.pictures[0]) if spec.pictures else None,
            "mask": self.file(spec.mask) if spec.mask else None,
            "images": [self._image(output) for output in task.outputs],
            "facts": _facts(task),
        }

    def card(self, task: Task, live: Live | None) -> dict[str, Any]:
        """A task as the tray shows it."""
        return {
            "id": task.id,
            "state": task.state.value,
            "prompt": task.spec.painted_prompt,
            "thumb": self.links.link(task.outputs[0].file.key) if task.outputs else None,
            "failure": reason(task.failure, self.words) if task.failure else None,
            "created_ms": round(task.created_at.timestamp() * 1000),
            "live": _live(live) if live and not task.state.is_final else None,
        }

    def node(self, task: Task, parent_id: str | None) -> dict[str, Any]:
        """A task as the history shows it."""
        return {
            "id": task.id,
            "parent": parent_id,
            "state": task.state.value,
            "prompt": task.spec.prompt,
            "thumbs": [self.links.link(output.file.key) for output in task.outputs],
        }

    def engine(self, service: Service) -> dict[str, Any]:
        """Why nothing can be asked for as yet; once a checkpoint was loaded, all that is asked for can be queued."""
        try:
            service.model_info  # noqa: B018
        except BackendError as error:
            return {"missing": self.words.rule(error.message)}
        return {"missing": None}

    def file(self, file: StoredFile) -> dict[str, Any]:
        """A stored picture."""
        return {"url": self.links.link(file.key), "width": file.width, "height": file.height}

    def _image(self, output: TaskOutput) -> dict[str, Any]:
        name = f"overpaint-{output.seed}.{output.file.key.rpartition('.')[2]}"
        changed = {"seed": output.seed, "name": name, "key": output.file.key, "unsafe": bool(output.has_nsfw)}
        return {**self.file(output.file), **changed, "bytes": output.file.num_bytes, "type": output.file.media_type}


def _live(live: Live) -> dict[str, Any]:
    return {
        "position": live.position,
        "stage": live.stage,
        "step": live.step,
        "steps": live.num_steps,
        "look": live.look,
        "looks": live.num_looks,
        "remaining_ms": None if live.remaining_s is None else round(live.remaining_s * 1000),
    }


def _facts(task: Task) -> dict[str, Any]:
    """What is worth knowing about a result, by names that the languages have words for (``fact_...``)."""
    spec, timings = task.spec, task.timings
    facts: dict[str, Any] = {
        "model": spec.model,
        "seed": spec.seed,
        "prompt": spec.prompt,
        "enhanced": spec.enhanced_prompt,
        "negative": spec.negative_prompt,
        "size": str(spec.size) if isinstance(spec.size, Size) else None,
        "steps": spec.steps,
        "guidance": spec.true_cfg_scale,
        "adapters": ", ".join(f"{one.name}:{one.scale:g}" for one in spec.adapters) or None,
        "cost": f"${task.price_microusd / MICRO:.4f}" if task.state is TaskState.SUCCEEDED else None,
    }
    if timings is not None:
        for stage in ("queue", "condition", "prefill", "denoise", "decode", "total"):
            facts[f"{stage}_s"] = f"{getattr(timings, f'{stage}_s'):.2f} s"
    return {name: value for name, value in facts.items() if value is not None} | {"id": task.id}
