# Every target works as the first command on a fresh clone: the environment is made on demand.

VENV := .venv
BIN := $(VENV)/bin
CASES := 1000000
SEED := 1
READY := $(VENV)/.ready

# The first interpreter that is new enough; `make PYTHON=/path/to/python3.12 test` takes another one.
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
endif

.PHONY: help demo demo-gateway test check bench fuzz soak format system-deps clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: $(READY) ## a throw-away PKI, `peergate up`, and a tour of allowed and denied calls
	$(BIN)/peergate demo

demo-gateway: $(READY) ## the same tour through the gateway, without an Envoy
	$(BIN)/peergate demo --gateway

test: $(READY) ## every test, real Envoy and real TLS included
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(READY) ## lint, format, types, import law, generated code and docs
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m extauth.wire.generate --check
	$(BIN)/python -m tests.docs.reference --check

bench: $(READY) ## one table of what a decision costs
	$(BIN)/python -m bench

fuzz: $(READY) ## hostile input, and a million requests through a real Envoy: `make fuzz CASES=50000 SEED=7`
	$(BIN)/python -m fuzz --seconds 60
	$(BIN)/python -m fuzz.native --cases $(CASES) --seed $(SEED)
	PEERGATE_EXAMPLES=5000 $(BIN)/python -m pytest tests/extauth/native/test_against_the_engine.py --timeout 3600

soak: $(READY) ## policies, certificates, CAs and CRLs swapped under load, clients that stall, outages of OCSP and xds
	PEERGATE_SOAK_SECONDS=30 $(BIN)/python -m pytest tests/envoy/test_reload_under_load.py
	PEERGATE_SOAK_SECONDS=60 $(BIN)/python -m pytest tests/gateway/test_reload_under_load.py
	PEERGATE_OCSP_ROUNDS=5 $(BIN)/python -m pytest -s tests/envoy/test_ocsp.py -k trouble
	PEERGATE_CROWD=200 $(BIN)/python -m pytest tests/gateway/server/test_deadlines.py -k crowd
	PEERGATE_OUTAGE_SECONDS=600 $(BIN)/python -m pytest tests/extauth/xds/test_real_envoys.py -k outage

format: $(READY) ## rewrite the sources in their format
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# Tests run with the versions that the image ships: a release of a dependency changes nothing until the lock is renewed.
$(READY): pyproject.toml deploy/docker/runtime.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "peergate needs Python 3.11 or newer; found none. Name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory system-deps
	@echo "making $(VENV): the first time this takes a minute"
	@$(PYTHON) -m venv $(VENV)
	@sed -n 's/^\([^# ]*==[^ ]*\).*/\1/p' deploy/docker/runtime.lock > $(VENV)/constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint $(VENV)/constraints.txt --editable '.[envoy,dev]'
	@touch $@

# What the tests need of the system. Nothing is asked of apt, or of sudo, where all of it is there.
system-deps: ## system packages for the tests (Debian, Ubuntu)
	@missing=""; \
	command -v openssl >/dev/null || missing="$$missing openssl"; \
	command -v curl >/dev/null || missing="$$missing curl"; \
	command -v git >/dev/null || missing="$$missing git"; \
	command -v nginx >/dev/null || test -x /usr/sbin/nginx || missing="$$missing nginx"; \
	command -v haproxy >/dev/null || test -x /usr/sbin/haproxy || missing="$$missing haproxy"; \
	command -v caddy >/dev/null || missing="$$missing caddy"; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	$(or $(PYTHON),python3) -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	test -n "$$missing" || exit 0; \
	command -v apt-get >/dev/null || { echo "please install:$$missing" >&2; exit 1; }; \
	if test "$$(id -u)" = 0; then sudo=""; else sudo="sudo"; fi; \
	echo "installing:$$missing"; \
	$$sudo apt-get update --quiet=2 && \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends $$missing

clean: ## remove the environment and every cache
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
