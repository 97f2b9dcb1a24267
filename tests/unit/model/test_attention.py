"""Every way to attend gives what plain attention over prefix and target gives, alone and in any company."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from overpaint.model.attention import Attention, sdpa
from overpaint.model.attention_adapters import (
    ProductAttention,
    SequenceAttention,
    VarlenAttention,
    _runs,
    choose_attention,
)
from overpaint.model.device import has_cpu_bfloat16
from overpaint.model.layout import layout_prefix
from overpaint.model.prefix_cache import PrefixBlock, PrefixCache
from tests.reference.measures import max_abs

_HEADS, _HEAD_DIM, _LAYERS = 2, 16, 2
_CPU = torch.device("cpu")
_PACKS = [[(7, 5)], [(7, 5), (0, 9), (31, 1)], [(40, 130), (3, 100), (100, 64)]]
"""Prefix and target tokens of each sequence; the last pack is long enough for products."""


def _attend_rows(
    query: Tensor, key: Tensor, value: Tensor, query_starts: Tensor, key_starts: Tensor, max_query: int, max_key: int
) -> Tensor:
    """What `varlen_attn` computes, in plain torch; looks at everything that it is told."""
    assert query_starts.dtype == key_starts.dtype == torch.int32
    spans = [starts.diff().tolist() for starts in (query_starts, key_starts)]
    assert (max_query, max_key) == (max(spans[0]), max(spans[1]))
    parts = zip(query.split(spans[0]), key.split(spans[1]), value.split(spans[1]), strict=True)
    attended = [sdpa(q, k, v) for q, k, v in parts]
    return torch.cat(attended).unflatten(1, query.shape[1:])


def _draw(rows: int, seed: int, device: torch.device = _CPU, dtype: torch.dtype = torch.float32) -> Tensor:
    shape = (rows, _HEADS, _HEAD_DIM)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(device, dtype)


def _cache(
    prefix_tokens: int, seed: int, device: torch.device = _CPU, dtype: torch.dtype = torch.float32
) -> PrefixCache:
    layout = layout_prefix([False] * prefix_tokens, [])
    ends = [0, prefix_tokens // 3, prefix_tokens] if prefix_tokens else []
    blocks = [
        PrefixBlock(start, torch.empty(_LAYERS, 2, end - start, _HEADS, _HEAD_DIM, dtype=dtype, device=device))
        for start, end in pairwise(ends)
    ]
    cache = PrefixCache(layout, blocks)
    for layer in range(_LAYERS):
        rows = [_draw(prefix_tokens, 10 * seed + layer + 1000 * which, device, dtype) for which in (0, 1)]
        cache.store(layer, 0, *rows)
    return cache


def _plainly(caches: Sequence[PrefixCache], lengths: Sequence[int], layer: int, qkv: Sequence[Tensor]) -> Tensor:
    """Softmax of all scores, written out in fp32, a sequence after the other."""
    parts: list[Tensor] = []
    starts = [0, *accumulate(lengths)]
    for cache, start, length in zip(caches, starts, lengths, strict=False):
        query, key, value = (rows[start : start + length].float().transpose(0, 1) for rows in qkv)
        for kept in reversed(cache.read(layer)):
            before = [rows.float().transpose(0, 1) for rows in kept]
            key, value = torch.cat([before[0], key], 1), torch.cat([before[1], value], 1)
        scores = query @ key.mT / _HEAD_DIM**0.5
        parts.append((scores.softmax(-1) @ value).transpose(0, 1).flatten(1))
    return torch.cat(parts)


def _check(
    attention: Attention,
    pack: list[tuple[int, int]],
    tolerance: float,
    device: torch.device = _CPU,
    dtype: torch.dtype = torch.float32,
) -> None:
    caches = [_cache(prefix, index, device, dtype) for index, (prefix, _) in enumerate(pack)]
    lengths = [length for _, length in pack]
    attend = attention.over(caches, lengths)
    for layer in range(_LAYERS):
        qkv = [_draw(sum(lengths), 77 + layer + which, device, dtype) for which in range(3)]
        assert max_abs(attend(layer, *qkv).float().cpu(), _plainly(caches, lengths, layer, qkv).cpu()) <= tolerance


@pytest.mark.parametrize("pack", _PACKS, ids=str)
@pytest.mark.parametrize(
    "attention",
    [SequenceAttention(), ProductAttention(), VarlenAttention(_attend_rows, _CPU)],
    ids=lambda it: type(it).__name__,
)
def test_it_is_plain_attention_over_prefix_and_target(attention: Attention, pack: list[tuple[int, int]]) -> None:
    _check(attention, pack, tolerance=2e-6)  # fp32 rounding of values around one


def test_blocks_of_queries_see_all_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overpaint.model.attention_adapters._MAX_SCORES", _HEADS * 170 * 100)
    _check(ProductAttention(), [(40, 130)], tolerance=2e-6)


def test_sequences_on_one_prefix_do_not_see_each_other() -> None:
    cache = _cache(6, 1)
    qkv = [_draw(12, seed) for seed in range(3)]
    attend = VarlenAttention(_attend_rows, _CPU).over([cache, cache], [8, 4])
    assert max_abs(attend(0, *qkv), _plainly([cache, cache], [8, 4], 0, qkv)) <= 2e-6


def test_products_in_bfloat16_are_as_close_to_fp32_as_scores_rounded_once_can_be() -> None:
    # Scores reach 4 here; half a unit in their last of 8 bits is 2^-7 of them, and outputs round once more.
    _check(ProductAttention(), [(40, 130)], tolerance=2**-6, dtype=torch.bfloat16)


def test_a_processor_takes_products_where_it_multiplies_bfloat16() -> None:
    assert isinstance(choose_attention(_CPU, torch.bfloat16), ProductAttention) == has_cpu_bfloat16()
    assert type(choose_attention(_CPU, torch.float32)) is SequenceAttention


class _OnCard(Tensor):
    """A tensor that says it is on a card."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device("cuda:0")

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each attention on a card, whether it may have taken a kernel that needs a plan."""
    allowed: list[bool] = []
    attend: Any = torch.nn.functional.scaled_dot_product_attention

    def watch(*rows: Tensor, **options: Any) -> Tensor:
        allowed.append(torch.backends.cuda.cudnn_sdp_enabled())
        return attend(*rows, **options)

    monkeypatch.setattr("overpaint.model.attention.F.scaled_dot_product_attention", watch)
    return allowed


@pytest.mark.parametrize(
    ("is_enabled", "tokens", "expected"),
    [(True, 8, [True, False]), (True, 7, [False, False]), (False, 8, [False, False])],
)
def test_a_plan_is_made_for_large_targets_alone_and_the_choice_is_given_back(
    is_enabled: bool, tokens: int, expected: list[bool], plans: list[bool]
) -> None:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    attention = SequenceAttention(plan_queries=8)
    rows = [_draw(tokens, seed).as_subclass(_OnCard) for seed in range(3)]
    torch.backends.cuda.enable_cudnn_sdp(is_enabled)
    try:
        attention.over([_cache(0, 1)], [tokens])(0, *rows)
        attention.inside(*rows)
        assert torch.backends.cuda.cudnn_sdp_enabled() == is_enabled
    finally:
        torch.backends.cuda.enable_cudnn_sdp(before)
    assert plans == expected


@pytest.mark.parametrize("failure", [RuntimeError("no kernel image"), NotImplementedError("not built"), None])
def test_a_kernel_that_is_there_by_name_only_is_not_taken(
    failure: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    def kernel(query: Tensor, *_: object) -> Tensor:
        if failure:
            raise failure
        return query

    assert _runs(kernel, _CPU, torch.bfloat16) == (failure is None)
    assert [str(failure) in message for message in caplog.messages] == [True] * (failure is not None)


@pytest.mark.gpu
@pytest.mark.parametrize("pack", _PACKS, ids=str)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_one_kernel_for_the_pack_on_a_gpu(pack: list[tuple[int, int]], dtype: torch.dtype) -> None:
    device = torch.device("cuda")
    attention = choose_attention(device, dtype)
    assert isinstance(attention, VarlenAttention), "this device should have variable-length attention"
    _check(attention, pack, tolerance=2**-6, device=device, dtype=dtype)
