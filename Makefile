# Everything a newcomer or CI runs. Needs Python >= 3.11 and make, nothing else; what it installs goes to .venv
# and, for the tests, .venv-synapse.
# Stamps keep it from installing twice: once set up, nothing here uses the network (except `make constraints`).

VENV := .venv
SYNAPSE := .venv-synapse
BIN := $(VENV)/bin
CODE := bot adapters core tests
SEEDS := 20

# What is pinned: read from pyproject.toml, its only source, by kind: build, run, dev, synapse.
DECLARED := import sys, tomllib; table = tomllib.load(open("pyproject.toml", "rb")); kind = sys.argv[1]; \
	run = [table["project"]["dependencies"], *table["project"]["optional-dependencies"].values()]; \
	build = [table["build-system"]["requires"], table["dependency-groups"]["build"]]; \
	wanted = {"build": build, "run": run, "dev": [*build, *run, table["dependency-groups"]["dev"]], \
	"synapse": [table["dependency-groups"]["synapse"]]}[kind]; \
	print(*(name for names in wanted for name in names), sep="\n")
# Pins hold for everybody: no setting of the machine that makes them may show, local wheels least of all.
COMPILE := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null $(BIN)/pip-compile --quiet \
	--generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(UPGRADE)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Only what is pinned, and nothing built in isolation, which would fetch unpinned tools. One package has no wheel.
INSTALL_PINNED := $(INSTALL) --require-hashes --no-build-isolation --only-binary :all: --no-binary atomicwrites

# Functions whose first argument is a text to translate; Babel looks at the last name before the parenthesis only,
# so `context.tell(…)` is `tell`. No lines, no dates, no wrapping: a text changes the catalogues only if it changes.
LOCALE := core/chat/locale
LOCALE_KEYWORDS := --no-default-keywords --keyword=say --keyword=tell --keyword=N_ --keyword=count:1,2
LOCALE_LAYOUT := --no-location --no-wrap --sort-output --omit-header

.PHONY: run test lint format bench simulate torture locale reference constraints clean help
.DELETE_ON_ERROR:

run: $(VENV)/dpool.stamp ## start dpool here: a console chat on dpool.db
	$(BIN)/dpool chat

test: $(VENV)/dpool.stamp $(VENV)/dev.stamp $(SYNAPSE)/synapse.stamp ## run every test, two at a time, with the coverage gate
	$(BIN)/python -m pytest -n 2 --cov

lint: $(VENV)/dpool.stamp $(VENV)/dev.stamp ## style, types and layers
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

format: $(VENV)/dev.stamp ## let ruff put style and layout right
	$(BIN)/ruff check --fix-only $(CODE)
	$(BIN)/ruff format $(CODE)

bench: $(VENV)/dpool.stamp $(VENV)/dev.stamp $(SYNAPSE)/synapse.stamp ## measure a large pool
	$(BIN)/python -m tests.bench --write

simulate: $(VENV)/dpool.stamp $(VENV)/dev.stamp ## play N seeded pools: make simulate N=100
	$(BIN)/python -m tests.simulation $(or $(N),$(SEEDS))

torture: $(VENV)/dpool.stamp $(VENV)/dev.stamp ## kill it while people use it: make torture N=300 SEED=1 STORE=postgresql
	$(BIN)/python -m tests.torture --kills $(or $(N),300) --seed $(or $(SEED),1) --store $(or $(STORE),sqlite)

locale: $(VENV)/dev.stamp ## collect the texts of core and bring every translation up to date
	$(BIN)/pybabel -q extract $(LOCALE_KEYWORDS) $(LOCALE_LAYOUT) -o $(LOCALE)/dpool.pot core
	for po in $(LOCALE)/*/LC_MESSAGES/dpool.po; do $(BIN)/pybabel -q update --no-wrap --ignore-obsolete \
		--no-fuzzy-matching --ignore-pot-creation-date -i $(LOCALE)/dpool.pot -o "$$po" \
		-l "$$(basename "$$(dirname "$$(dirname "$$po")")")" || exit 1; done
	$(BIN)/pybabel -q compile -d $(LOCALE) -D dpool --statistics

reference: $(VENV)/dpool.stamp ## write docs/commands.md anew from the command table
	$(BIN)/python -m bot.reference > docs/commands.md

constraints: $(VENV)/dev.stamp ## pin again what pyproject.toml declares; UPGRADE=--upgrade for the newest versions
	@for kind in build run dev synapse; do $(BIN)/python -c '$(DECLARED)' $$kind > $(VENV)/$$kind.in || exit 1; done
	$(COMPILE) -o constraints-build.txt $(VENV)/build.in
	$(COMPILE) -c constraints-build.txt -o constraints.txt $(VENV)/run.in
	$(COMPILE) -c constraints-build.txt -c constraints.txt -o constraints-dev.txt $(VENV)/dev.in
	$(COMPILE) -o constraints-synapse.txt $(VENV)/synapse.in

clean: ## remove what was installed and cached; databases stay
	rm -rf $(VENV) $(SYNAPSE) dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1: \2/p' Makefile

# A new venv whenever the pins change, so that a package which is no longer pinned is really gone.
$(VENV)/run.stamp: constraints-build.txt constraints.txt
	@python=""; for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
		if $$name -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
			then python=$$name; break; fi; done; \
	if [ -z "$$python" ]; then echo 'dpool needs Python 3.11 or newer with its venv module' \
		'(on Debian and Ubuntu: apt install python3-venv).' >&2; exit 1; fi; \
	echo "Setting up $(VENV) with $$($$python --version), this once ..."; $$python -m venv --clear $(VENV)
	$(INSTALL_PINNED) -r constraints-build.txt
	$(INSTALL_PINNED) -r constraints.txt
	@touch $@

$(VENV)/dev.stamp: constraints-dev.txt $(VENV)/run.stamp
	$(INSTALL_PINNED) -r constraints-dev.txt
	@touch $@

# The homeserver that the tests talk to, apart from our own packages.
$(SYNAPSE)/synapse.stamp: constraints-synapse.txt $(VENV)/run.stamp
	$(BIN)/python -m venv --clear $(SYNAPSE)
	$(SYNAPSE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
		-r constraints-synapse.txt
	@touch $@

# hatchling and editables are pinned and there already: no isolated build that would fetch its own.
$(VENV)/dpool.stamp: pyproject.toml $(VENV)/run.stamp
	$(INSTALL) --no-index --no-deps --no-build-isolation -e .
	@touch $@
