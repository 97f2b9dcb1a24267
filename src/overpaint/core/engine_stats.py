"""What an engine counts since it started, as plain numbers for metrics, benchmarks and people."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters of one engine; those named `num_running`, `num_waiting` and `..._bytes_held` are of this moment.

    Args:
        num_running: pictures under way.
        num_waiting: pictures that wait for a place, for memory, or for their prefix.
        num_ticks: plans carried out.
        num_steps: denoising steps of single pictures.
        num_preemptions: times a running picture was sent back to wait.
        num_evictions: blocks of prefixes (a picture, or the words) that left the device for others.
        num_started: tasks on which work began.
        queue_wait_s: seconds that those waited for it, together.
        prefix_tokens: tokens of all prefixes that requests came with.
        prefix_tokens_reused: those of them that were there when the request came, or on their way for another one.
        prefix_bytes_reused: keys and values of those.
        prefix_bytes_held: keys and values held now, of what runs and of what is kept for reuse.
        prefix_host_bytes_held: those that left the device and lie in the host's memory, beside them.
        adapter_bytes_held: LoRA matrices on the device.
        condition_s: seconds the device read words and pictures.
        prefill_s: seconds it ran prefixes.
        denoise_s: seconds it stepped.
        preview_s: seconds it made previews.
        decode_s: seconds it decoded.
        num_passes: ticks in which it stepped; `denoise_s / num_passes` is the time of a step.
    """

    num_running: int = 0
    num_waiting: int = 0
    num_ticks: int = 0
    num_steps: int = 0
    num_preemptions: int = 0
    num_evictions: int = 0
    num_started: int = 0
    queue_wait_s: float = 0.0
    prefix_tokens: int = 0
    prefix_tokens_reused: int = 0
    prefix_bytes_reused: int = 0
    prefix_bytes_held: int = 0
    prefix_host_bytes_held: int = 0
    adapter_bytes_held: int = 0
    condition_s: float = 0.0
    prefill_s: float = 0.0
    denoise_s: float = 0.0
    preview_s: float = 0.0
    decode_s: float = 0.0
    num_passes: int = 0


NO_STATS = EngineStats()
"""Of an engine that has done nothing, or counts nothing."""
