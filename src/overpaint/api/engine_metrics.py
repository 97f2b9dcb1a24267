"""The engine's own counters for Prometheus, read when somebody asks. Knows no engine, only its numbers.

They belong to the engine's process and begin anew with it, which Prometheus' `rate` knows how to take.
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from overpaint.core.engine_stats import EngineStats

STAGES = ("condition", "prefill", "denoise", "preview", "decode")
COUNTERS = {
    "overpaint_engine_ticks": ("num_ticks", "Plans that the engine carried out."),
    "overpaint_engine_passes": ("num_passes", "Packed denoising steps; busy seconds of denoise over these is a step."),
    "overpaint_engine_steps": ("num_steps", "Denoising steps of single pictures."),
    "overpaint_engine_preemptions": ("num_preemptions", "Times a running picture was sent back to wait."),
    "overpaint_engine_evictions": ("num_evictions", "Blocks of prefixes that left the device for others."),
    "overpaint_engine_started_tasks": ("num_started", "Tasks on which work began."),
    "overpaint_engine_queue_wait_seconds": ("queue_wait_s", "What those waited in the engine, together."),
    "overpaint_prefix_tokens": ("prefix_tokens", "Tokens of all prefixes that requests came with."),
    "overpaint_prefix_reused_tokens": (
        "prefix_tokens_reused",
        "Those of them that were there, or on their way for another.",
    ),
    "overpaint_prefix_reused_bytes": ("prefix_bytes_reused", "Keys and values of those."),
}
GAUGES = {
    "overpaint_engine_running_pictures": ("num_running", "Pictures under way."),
    "overpaint_engine_waiting_pictures": ("num_waiting", "Pictures that wait in the engine."),
    "overpaint_prefix_held_bytes": ("prefix_bytes_held", "Keys and values held, used or kept for reuse."),
    "overpaint_prefix_host_held_bytes": ("prefix_host_bytes_held", "Those that left the device for the host's memory."),
    "overpaint_adapter_held_bytes": ("adapter_bytes_held", "LoRA matrices on the device."),
}


class EngineCollector(Collector):
    """Turns `EngineStats` into metrics.

    Args:
        read: gives the present ones, at once.
    """

    def __init__(self, read: Callable[[], EngineStats]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """All of them, from one reading."""
        stats = self._read()
        for name, (field, text) in COUNTERS.items():
            yield CounterMetricFamily(name, text, value=getattr(stats, field))
        for name, (field, text) in GAUGES.items():
            yield GaugeMetricFamily(name, text, value=getattr(stats, field))
        busy = CounterMetricFamily("overpaint_engine_busy_seconds", "Time of the device by stage.", labels=["stage"])
        for stage in STAGES:
            busy.add_metric([stage], getattr(stats, f"{stage}_s"))
        yield busy
