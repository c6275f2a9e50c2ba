# `make demo` and `make test` are all a newcomer needs; both set up the same .venv first.
# PYTHON=/path/to/python3.11 chooses the interpreter that .venv is made from.

VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
PLATFORM ?= linux-x64
PYTHON_VERSION ?= 3.11
PYTHON313 ?= python3.13

.PHONY: help install demo test lint format zip slim robustness test-contexts test-bpy-versions test-blender clean

help:
	@echo "make demo               the person of a real photo, in out/: .blend, .glb and a picture"
	@echo "make test               all tests"
	@echo "make lint               style and types"
	@echo "make format             rewrite the code in the project's style"
	@echo "make zip                the extension with its wheels, in dist/ (PLATFORM=$(PLATFORM) PYTHON_VERSION=$(PYTHON_VERSION))"
	@echo "make slim               the extension without wheels, in dist/"
	@echo "make robustness         the robustness suite of docs/reliability.md, 6 to 60 minutes (OPTIONS=--help)"
	@echo "make test-contexts      every operator and poll in every context in bpy 4.2, 4.5 and 5.0, and in 5.1 and 5.2"
	@echo "                        where PYTHON313=$(PYTHON313) is a Python 3.13"
	@echo "make test-bpy-versions  install the linux-x64 zip in Blender 4.2, 4.5 and 5.0 and run it there"
	@echo "make test-blender BLENDER=/path/to/blender  install the slim zip there and click the button in a window"
	@echo "make clean              remove what the commands wrote, .venv included"

install: $(INSTALLED)

$(INSTALLED): requirements.txt vendor_requirements.txt tools/setup_env.sh
	bash tools/setup_env.sh $(VENV)

demo: $(INSTALLED)
	$(PY) tools/demo.py

test: $(INSTALLED)
	$(PY) -m pytest

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(INSTALLED)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

zip: $(INSTALLED)
	$(PY) build_addon.py --platform $(PLATFORM) --python $(PYTHON_VERSION)

slim: $(INSTALLED)
	$(PY) build_addon.py --slim

# Blender's own Python packages at each version: bpy and the numpy that its release brings, no torch.
.venv-bpy-%/.installed: | $(INSTALLED)
	$(if $(filter 5.1.% 5.2.%,$*),$(PYTHON313),$(PY)) -m venv .venv-bpy-$*
	.venv-bpy-$*/bin/pip install --quiet --constraint requirements.txt pytest
	.venv-bpy-$*/bin/pip install --quiet bpy==$(firstword $(subst -, ,$*)) numpy==$(lastword $(subst -, ,$*))
	touch $@

BPY_ENVS := .venv-bpy-4.2.23-1.24.3 .venv-bpy-4.5.15-1.26.4 .venv-bpy-5.0.1-1.26.4
# Blender 5.1 and newer bring Python 3.13, which not every machine has.
BPY_ENVS_313 = $(if $(shell $(PYTHON313) -c "print(1)" 2>/dev/null),.venv-bpy-5.1.2-2.3.4 .venv-bpy-5.2.3-2.3.4)

test-bpy-versions: $(BPY_ENVS:%=%/.installed)
	$(PY) build_addon.py --platform linux-x64 --python 3.11
	for env in $(BPY_ENVS); do $(PY) tools/check_zip.py dist/*-linux_x64-py311.zip --bpy-python $$env/bin/python || exit 1; done

test-contexts: $(BPY_ENVS:%=%/.installed)
	$(if $(BPY_ENVS_313),$(MAKE) $(BPY_ENVS_313:%=%/.installed))
	for env in $(BPY_ENVS) $(BPY_ENVS_313); do $$env/bin/python -m pytest tests/addon/test_contexts.py || exit 1; done

robustness: $(INSTALLED)
	$(PY) -m tests.robustness $(OPTIONS)

# OPTIONS: see tools/test_blender.py --help, such as OPTIONS="--wheels build/wheels/linux-x64-py311"
test-blender: $(INSTALLED)
	$(PY) tools/test_blender.py $(BLENDER) $(OPTIONS)

clean:
	rm -rf $(VENV) .venv-bpy-* build dist out
