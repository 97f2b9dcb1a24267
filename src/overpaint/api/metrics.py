"""What Prometheus is told: requests, queue, stages, engine steps and failures. One registry for each application.

Tasks are counted as the watch tower hears of them, so a task is counted by the process that ran it, once. What stands
now (queue, work under way) is asked for with every look: what was heard of it would be wrong where another server takes
a task, and after a restart.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from overpaint.api.engine_metrics import EngineCollector
from overpaint.core.engine_stats import NO_STATS, EngineStats
from overpaint.core.events import Progress
from overpaint.core.result import Timings
from overpaint.core.task import Backlog, Task
from overpaint.service.watch import Ended, Happening

STAGES = ("queue", "condition", "prefill", "denoise", "decode")
REQUEST_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
STAGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
TASKS_KEPT = 4096
CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The numbers of one server process.

    Args:
        now_s: tells the time.
        engine_stats: what the engine has counted.
    """

    def __init__(
        self, now_s: Callable[[], float] = time.monotonic, engine_stats: Callable[[], EngineStats] = lambda: NO_STATS
    ) -> None:
        self.registry = CollectorRegistry()
        self.engine_stats = engine_stats
        self.registry.register(EngineCollector(lambda: self.engine_stats()))
        self._now_s = now_s
        self._last_step: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._make_counters(self.registry)
        self._make_gauges(self.registry)

    def _make_counters(self, registry: CollectorRegistry) -> None:
        self._requests = Histogram(
            "overpaint_http_request_seconds",
            "Time to answer, by route template.",
            ("method", "route", "status"),
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self._tasks = Counter(
            "overpaint_tasks", "Tasks that became final.", ("model", "dialect", "state"), registry=registry
        )
        self._images = Counter("overpaint_images", "Pictures delivered.", ("model",), registry=registry)
        self._failures = Counter(
            "overpaint_task_failures", "Failed tasks, by error code.", ("code",), registry=registry
        )
        self._stages = Histogram(
            "overpaint_stage_seconds",
            "Time a finished task spent in each stage.",
            ("stage",),
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._steps = Histogram(
            "overpaint_engine_step_seconds",
            "Time between two denoising steps of a task.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )

    def _make_gauges(self, registry: CollectorRegistry) -> None:
        self._depth = Gauge("overpaint_queue_depth", "Tasks that wait in the database.", registry=registry)
        self._age = Gauge("overpaint_queue_age_seconds", "How long the oldest of them has waited.", registry=registry)
        self.running = Gauge("overpaint_tasks_running", "Tasks that this server holds.", registry=registry)
        self.ready = Gauge("overpaint_ready", "1 when work can be taken and done.", registry=registry)

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)

    def saw_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note an answered request."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def saw_backlog(self, backlog: Backlog, now: datetime | None = None) -> None:
        """Note what waits."""
        oldest, now = backlog.oldest, now or datetime.now(UTC)
        self._depth.set(backlog.num_tasks)
        self._age.set(max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)

    def saw(self, task_id: str, what: Happening) -> None:
        """Note what happened to a task."""
        if isinstance(what, Progress):
            self._saw_progress(task_id, what)
        elif isinstance(what, Ended):
            self._saw_end(task_id, what.task)

    def _saw_progress(self, task_id: str, progress: Progress) -> None:
        now_s = self._now_s()
        step, since_s = self._last_step.get(task_id, (progress.step, now_s))
        if progress.stage == "denoise" and progress.step > step:
            self._steps.observe((now_s - since_s) / (progress.step - step))
        self._last_step[task_id] = (progress.step, now_s)
        if len(self._last_step) > TASKS_KEPT:  # of tasks that another server took over, whose end is not heard here
            self._last_step.popitem(last=False)

    def _saw_end(self, task_id: str, task: Task) -> None:
        self._last_step.pop(task_id, None)
        if task_id in self._ended:
            return
        self._ended[task_id] = None
        if len(self._ended) > TASKS_KEPT:
            self._ended.popitem(last=False)
        self._tasks.labels(task.spec.model, task.dialect, task.state.value).inc()
        self._images.labels(task.spec.model).inc(len(task.outputs))
        if task.failure is not None:
            self._failures.labels(task.failure.code).inc()
        if task.timings is not None:
            self._saw_timings(task.timings)

    def _saw_timings(self, timings: Timings) -> None:
        for stage in STAGES:
            self._stages.labels(stage).observe(float(getattr(timings, f"{stage}_s")))
