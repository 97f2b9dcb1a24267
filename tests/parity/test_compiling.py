"""What is compiled computes what is written, and nothing is compiled once pictures are painted."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from overpaint.core.config import ModelConfig
from overpaint.core.errors import ConfigError
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from overpaint.model.compiling import compile_step
from overpaint.model.inputs import PrefixInput, StepInput
from overpaint.model.layout import Grid, layout_prefix
from overpaint.model.transformer import PackedTransformer
from tests.reference.measures import max_abs

# Said by torch about itself when its compiler is imported.
pytestmark = pytest.mark.filterwarnings("ignore:.*script_method.*:DeprecationWarning")


@pytest.fixture(autouse=True)
def nothing_compiled() -> Iterator[None]:
    yield
    torch.compiler.reset()


def _step(transformer: PackedTransformer, shapes: list[tuple[int, Grid]]) -> Tensor:
    """Velocities of a pack of targets on prefixes of so many words, one after the other."""
    draw = torch.Generator().manual_seed(0)
    inputs: list[StepInput] = []
    for words, grid in shapes:
        tokens = grid[0] * grid[1]
        cache = transformer.new_cache(layout_prefix([False] * words, []))
        txt, latents = (
            torch.randn(rows, width, generator=draw).to(transformer.device)
            for rows, width in ((words, transformer.context_channels), (tokens, transformer.latent_channels))
        )
        transformer.prefill([PrefixInput(cache.layout.segments, txt, (), cache)])
        inputs.append(StepInput(latents, 0.7, grid, cache))
    return torch.cat(transformer.step(inputs)).float().cpu()


_SHAPES: list[list[tuple[int, Grid]]] = [[(5, (6, 8))], [(40, (16, 16))], [(3, (2, 2)), (17, (9, 4)), (5, (1, 1))]]


def _check_compiled(checkpoint: Checkpoint, tolerance: float) -> None:
    transformer = PackedTransformer(checkpoint.transformer)
    written = [_step(transformer, shapes) for shapes in _SHAPES]
    compile_step(transformer)
    num_graphs = counters["stats"]["unique_graphs"]
    compiled = [_step(transformer, shapes) for shapes in _SHAPES]
    assert num_graphs > 0
    assert counters["stats"]["unique_graphs"] == num_graphs, "something was compiled while serving"
    assert max(max_abs(a, b) for a, b in zip(written, compiled, strict=True)) <= tolerance


@pytest.mark.slow
def test_the_compiled_step_is_the_step(plain_checkpoint: Checkpoint) -> None:
    _check_compiled(plain_checkpoint, tolerance=1e-5)  # fp32 in another order, through all layers


@pytest.mark.gpu
def test_the_compiled_step_is_the_step_on_a_gpu() -> None:
    checkpoint = load_checkpoint(ModelConfig(device="cuda", dtype="float32"))
    _check_compiled(checkpoint, tolerance=1e-4)


def test_a_missing_compiler_is_said(plain_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._inductor.config as inductor

    monkeypatch.setattr(inductor.cpp, "cxx", (None, "no-such-compiler"))
    monkeypatch.setattr(inductor, "force_disable_caches", True)
    with pytest.raises(ConfigError, match=r"compile: a C\+\+ compiler .* is needed"):
        compile_step(PackedTransformer(plain_checkpoint.transformer))
