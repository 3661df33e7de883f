# One distribution, one virtual environment: `make run` and `make test` each do their own set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.novaburst-installed
# The services for `make test-openstack` and `make test-ministack` have environments of their own.
OPENSTACK := .openstack
OPENSTACK_STAMP := $(OPENSTACK)/venv/.novaburst-installed
MINISTACK := .ministack
MINISTACK_STAMP := $(MINISTACK)/venv/.novaburst-installed

# Where `make test-vm` keeps its image and the packages that the VM installs.
VM ?= /var/tmp/novaburst-vm

# Where `make bake` makes its root folder; it must lie outside the project, as it holds a whole system.
ROOT ?= /var/tmp/novaburst-root

# What runs for users: bandit reads these.
PACKAGES := app.py infra local_cloud novaburst scaling_lambda simulator web_tier worker_ami

.PHONY: setup run test test-openstack test-ministack test-vm faults lint bench bake clean

setup: $(STAMP)

$(STAMP): pyproject.toml requirements-dev.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "novaburst needs Python 3.11 or newer with its venv module; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "novaburst needs Python's venv module (Debian and Ubuntu: apt-get install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

run: setup
	$(BIN)/novaburst up $(ARGS)

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive -c pyproject.toml $(PACKAGES)
	$(BIN)/cfn-lint infra/template.yaml

# Most tests wait for queues and processes rather than compute, so more of them run at once than there are cores. Of those
# that run a whole system each, two at once.
test: lint
	@for tool in nginx chromium packer gpg; do command -v $$tool >/dev/null \
	  || { echo "make test needs $$tool (Debian and Ubuntu: apt-get install nginx chromium packer gnupg)"; exit 1; }; done
	$(BIN)/pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder tests/unit tests/aws tests/browser $(ARGS)
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder tests/e2e tests/fleet tests/faults $(ARGS)

# `novaburst nova` against real Keystone, Glance, Placement, Neutron and Nova on loopback. The services do the work, so more
# tests at once would only wait for one another; the first of all waits for the services, for minutes where cores are few.
test-openstack: setup $(OPENSTACK_STAMP)
	@for tool in /usr/lib/rabbitmq/bin/rabbitmq-server epmd; do command -v $$tool >/dev/null \
	  || { echo "make test-openstack needs $$tool (Debian and Ubuntu: apt-get install rabbitmq-server)"; exit 1; }; done
	$(BIN)/pytest --timeout 1800 tests/openstack $(ARGS)

# uWSGI is built from source.
$(OPENSTACK_STAMP): tests/openstack/requirements.txt tests/openstack/constraints.txt
	@command -v cc >/dev/null || { echo "make test-openstack needs a C compiler (Debian and Ubuntu: apt-get install gcc)"; exit 1; }
	$(PYTHON) -m venv $(OPENSTACK)/venv
	$(OPENSTACK)/venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/openstack/requirements.txt
	@touch $@

# The tiers' wiring on an AWS that is not moto, in about two minutes.
test-ministack: setup $(MINISTACK_STAMP)
	$(BIN)/pytest tests/ministack $(ARGS)

$(MINISTACK_STAMP): tests/ministack/requirements.txt tests/ministack/constraints.txt
	$(PYTHON) -m venv $(MINISTACK)/venv
	$(MINISTACK)/venv/bin/pip install --quiet --disable-pip-version-check --requirement tests/ministack/requirements.txt
	@touch $@

# The AMI's own scripts in a root folder, and instances that boot it, alone with a loopback of their own. The CloudWatch
# agent is left out: nothing in a folder would start it.
bake: setup
	@command -v debootstrap >/dev/null || { echo "make bake needs debootstrap (apt-get install debootstrap)"; exit 1; }
	$(BIN)/python -m worker_ami.chroot --out $(ROOT) --var cloudwatch_agent= $(ARGS)
	unshare --net sh -c 'ip link set lo up && $(BIN)/pytest tests/bake --root $(ROOT)'

# A cloud image, made once, booted by software emulation with the user data of `novaburst nova up`, alone with a loopback
# of its own: about a quarter of an hour of one core, after four minutes for the image.
test-vm: setup
	@for tool in mmdebstrap qemu-system-x86_64 qemu-img genisoimage dpkg-scanpackages ssh; do \
	  command -v $$tool >/dev/null || { echo "make test-vm needs $$tool (Debian:" \
	  "apt-get install mmdebstrap qemu-system-x86 qemu-utils genisoimage dpkg-dev openssh-client)"; exit 1; }; done
	$(BIN)/python -m tests.vm.image $(VM)
	unshare --net sh -c 'ip link set lo up && $(BIN)/pytest tests/vm --image $(VM) $(ARGS)'

# Many seeds of faults and kills, some minutes each; `make test` has one short run.
faults: setup
	$(BIN)/python -m tests.faults $(ARGS)

bench: setup
	$(BIN)/python -m bench $(ARGS)

clean:
	rm -rf $(VENV) $(OPENSTACK) $(MINISTACK) .novaburst .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
