"""The checkpoint writes its own prompts: a real server whose encoder has a language head, tiny and random."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, Qwen3VLForConditionalGeneration

from overpaint.service.enhance import INSTRUCTIONS, MAX_CHARS, MAX_TOKENS
from tests.contract.api.conftest import start_server
from tests.reference.checkpoints import write_checkpoint

PROMPT = "a cat on a red sofa"


def greedy(folder: Path, instructions: str, words: str) -> str:
    """What transformers writes in answer, always the likeliest token."""
    tokenizer = AutoTokenizer.from_pretrained(folder / "processor")
    encoder = Qwen3VLForConditionalGeneration.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    turns = [("system", instructions), ("user", words)]
    prompt = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns) + "<|im_start|>assistant\n"
    ids = torch.tensor([tokenizer.encode(prompt, add_special_tokens=False)])
    generate: Any = encoder.generate  # pyright: ignore[reportAttributeAccessIssue] - bound by a protocol of its own
    written = generate(input_ids=ids, max_new_tokens=MAX_TOKENS, do_sample=False)[0, ids.shape[1] :]
    return tokenizer.decode(written, skip_special_tokens=True).strip()[:MAX_CHARS].strip()


@pytest.mark.slow
def test_a_prompt_is_enriched_by_the_checkpoint_and_the_original_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", output_resolution=96)
    monkeypatch.setenv("OVERPAINT_ENHANCER", "model")
    server = start_server(tmp_path / "data", "--dtype", "float32", "--device", "cpu", model=str(checkpoint))
    body = {"prompt": PROMPT, "size": "64x64", "steps": 1, "seed": 7}
    try:
        with server.client() as http:
            plain, enriched = [
                http.post("/overpaint/v1/tasks", json=body | {"enhance": enhance}, params={"wait_s": 60}, timeout=90)
                for enhance in (False, True)
            ]
            again = http.get(enriched.json()["urls"]["get"]).json()
    finally:
        server.stop()
    assert plain.json()["enhanced_prompt"] is None
    expected = greedy(checkpoint, INSTRUCTIONS[False], PROMPT)
    assert expected
    assert (again["prompt"], again["enhanced_prompt"]) == (PROMPT, expected)
    assert (again["state"], plain.json()["state"]) == ("succeeded", "succeeded"), again
