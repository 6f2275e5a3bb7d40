# The whole face of the project: `make help` lists what it does. GNU make 3.81 or later, any folder name, any working directory.
#
# Paths reach the programs in environment variables that make itself exports. Nothing that a user writes is ever pasted into
# a shell command, so spaces, quotes, dollar signs and non-ASCII letters are safe.

.DEFAULT_GOAL := help
.PHONY: help setup doctor run check dev dashboards docs versions rollback sample coverage pictures spark-up spark-down test test-long test-spark lint format lock bench bench-growth bench-fits bench-landing clean

# ---- settings -------------------------------------------------------------------------------------------------------

# $(value ...) takes the text as it was written; a variable of the environment stands where the make variable is not given
ifneq ($(value RAW),)
export STICKINESS_RAW_DIR := $(value RAW)
endif
ifneq ($(value WAREHOUSE),)
export STICKINESS_WAREHOUSE_DIR := $(value WAREHOUSE)
endif
ifneq ($(value AS_OF),)
export STICKINESS_AS_OF := $(value AS_OF)
endif
ifneq ($(value COMPANY),)
export STICKINESS_COMPANY := $(value COMPANY)
endif
ifneq ($(value FULL_REFRESH),)
export STICKINESS_FULL_REFRESH := $(value FULL_REFRESH)
endif
ifneq ($(value REFIT),)
export STICKINESS_REFIT := $(value REFIT)
endif
ifneq ($(value ALLOW),)
export STICKINESS_ALLOW := $(value ALLOW)
endif
ifneq ($(value AUTOMATIC),)
export STICKINESS_AUTOMATIC := $(value AUTOMATIC)
endif
ifneq ($(value TARGET),)
export STICKINESS_TARGET := $(value TARGET)
endif

ifneq ($(value SIZE),)
export STICKINESS_SAMPLE_SIZE := $(value SIZE)
endif
ifneq ($(value SEED),)
export STICKINESS_SAMPLE_SEED := $(value SEED)
endif
ifneq ($(value SEEDS),)
export STICKINESS_SAMPLE_SEEDS := $(value SEEDS)
endif

# the packages of a target other than the default
engine := $(filter spark,$(value STICKINESS_TARGET))
# those of a copy for BI: what publishes does so without them, and says that there is no copy
publishing := $(engine) $(if $(value PUBLISH_POSTGRES_DSN),--if-possible postgres)

# without data of one's own it is the sample company
ifeq ($(value STICKINESS_RAW_DIR)$(value STICKINESS_COMPANY),)
export STICKINESS_COMPANY := sample
endif

# Relative paths count from where the user stood. `make -C` leaves that folder in PWD only, and shows itself by the flag w,
# unless silenced. Without -C the working directory is certain, and PWD may be left over from another program.
flags := $(firstword -$(MAKEFLAGS))
moved_or_silent := $(findstring w,$(flags))$(findstring s,$(flags))$(findstring no-print-directory,$(MAKEFLAGS))
stood_in := $(if $(moved_or_silent),$(value PWD))
export STICKINESS_INVOKED_FROM := $(if $(stood_in),$(stood_in),$(value CURDIR))

# no program phones home
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := False
export DAGSTER_DISABLE_TELEMETRY := 1

# ---- how targets are run --------------------------------------------------------------------------------------------

# make's own functions split a path at its spaces, so the shell finds the folder of this file
export STICKINESS_MAKEFILE := $(value MAKEFILE_LIST)
IN_ROOT = cd -- "$$(dirname -- "$${STICKINESS_MAKEFILE\# }")"

python := .venv/bin/python

# $(call with,SECTIONS): go to the project's folder and bring .venv up to the core and these sections of requirements.lock
define with
$(IN_ROOT) && set -- $(python) && \
if [ -n "$$PYTHON" ]; then set -- "$$@" "$$PYTHON"; else set -- "$$@" python3.11 python3.12 python3.13 python3; fi && \
for found do \
	"$$found" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break; found=; \
done && \
if [ -z "$$found" ]; then \
	echo "No Python 3.11, 3.12 or 3.13 found. Looked for: $$*. Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
fi && \
"$$found" tools/bootstrap.py $(1)
endef

# the section that the tests of Spark need, where they can run; where they cannot, a line that says why
spark_if_possible = $$( \
	if [ -n "$$STICKINESS_SPARK_HOST" ] || "$$found" -m tools.spark_cluster java >&2; then echo spark; \
	else echo "The tests that need Spark are left out." >&2; fi)

lint_all = $(python) -m ruff check . && $(python) -m ruff format --check . && $(python) -m tools.lint_sql

# `exec`: a signal that make passes on reaches the command, and not a shell that would leave it behind

# ---- targets --------------------------------------------------------------------------------------------------------

help: ## list the targets (this)
	@$(IN_ROOT) && awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "Examples:"
	@echo "  make run                                   the sample company"
	@echo "  make run COMPANY=complete_journey          another folder of companies/, here a real one"
	@echo "  make run RAW=../my-shop AS_OF=2026-11-21   your own data, as of a day"
	@echo "  make run RAW=../my-shop WAREHOUSE=/srv/dw  built and published elsewhere than warehouse/"
	@echo "  make check RAW=../my-shop                  what would become of its rows, and whether make run would refuse it"
	@echo "  make run RAW=../my-shop ALLOW=fewer_rows   published although fewer rows came than last time"
	@echo "  make run FULL_REFRESH=1                    from nothing"
	@echo "  make run REFIT=1                           with the predictive models fitted and backtested anew"
	@echo "  make sample SIZE=medium SEED=2             a simulated company of 100,000 customers, with its truth"
	@echo "  make dev AUTOMATIC=1                       Dagster refreshes each night, and when new files have come to rest"
	@echo "  make rollback WAREHOUSE=/srv/dw            back to the version published before"
	@echo "  make run TARGET=spark COMPANY=cdnow        built and published on Spark, after make spark-up"

setup: ## install what a change of the project needs, beside what a run does
	@$(call with,dev)

doctor: ## what on this machine or in the raw folder would stop a refresh, and how to mend it
	@$(call with,$(engine)) && exec $(python) -m orchestration.cli doctor

run: ## build, test and publish the marts of a company or a raw folder
	@$(call with,$(publishing)) && exec $(python) -m orchestration.cli refresh

check: ## land and judge a raw folder in seconds, without building from it
	@$(call with,$(engine)) && exec $(python) -m orchestration.cli check

dev: ## Dagster's web interface on http://127.0.0.1:3000
	@$(call with,$(publishing)) && exec $(python) -m orchestration.cli dev --end-with-parent

versions: ## list what was published, and which version is the current one
	@$(call with,$(engine)) && exec $(python) -m orchestration.cli versions

dashboards: ## the published boards on http://127.0.0.1:3001
	@$(call with,$(engine)) && exec $(python) -m orchestration.cli dashboards

docs: ## dbt's own pages of the last build, and where the reference of the published tables is
	@$(call with,$(engine)) && exec $(python) -m orchestration.cli docs

rollback: ## publish the previous version again
	@$(call with,$(publishing)) && exec $(python) -m orchestration.cli rollback

sample: ## simulate a company whose truth is known (SIZE=small|medium|large, SEED=1)
	@$(call with,) && $(python) -m companies.sample.simulator

coverage: ## judge every interval by simulated companies whose truth is known (SEEDS=10: companies of each sort)
	@$(call with,dev) && $(python) -m tools.coverage

pictures: ## take the pictures of the README and the tutorial, of the boards that make run published
	@$(call with,dev) && $(python) -m tools.pictures

spark-up: ## start a Spark cluster on this machine, to try the target spark
	@$(call with,spark) && $(python) -m tools.spark_cluster up

spark-down: ## stop the Spark cluster; its tables stay
	@$(call with,) && $(python) -m tools.spark_cluster down

test: ## everything that CI runs
	@$(call with,dev postgres complete-journey $(spark_if_possible)) && $(lint_all) && $(python) -m pytest -n 2 --dist loadgroup -m "not nightly"

test-long: ## the tests that are too long for every change; what became of them is written to docs/long-tests.md
	@$(call with,dev postgres complete-journey $(spark_if_possible)) && $(python) -m tools.long_tests

test-spark: ## build both targets and compare every mart
	@$(call with,dev complete-journey spark) && \
	{ [ -n "$$STICKINESS_SPARK_HOST" ] || $(python) -m tools.spark_cluster java; } && $(python) -m pytest -m spark

lint: ## check the style of Python and SQL
	@$(call with,dev) && $(lint_all)

format: ## put Python into its style
	@$(call with,dev) && $(python) -m ruff check --fix . && $(python) -m ruff format .

lock: ## rewrite requirements.lock from pyproject.toml (UPGRADE=1: newest versions)
	@$(call with,dev) && $(python) -m tools.lock_requirements $(if $(UPGRADE),--upgrade)

bench: ## measure how long a refresh takes
	@$(call with,) && $(python) -m benchmarks

bench-growth: ## measure both targets as a company grows, after make spark-up
	@$(call with,spark) && $(python) -m benchmarks.growth

bench-landing: ## measure how long a million order lines take to land
	@$(call with,) && $(python) -m benchmarks.landing

bench-fits: ## measure fitting and scoring a million customers, beside lifetimes, and a whole refit
	@$(call with,bench) && $(python) -m benchmarks.fits && $(python) -m benchmarks.scoring && $(python) -m benchmarks.refit

clean: ## remove what a run can make again; published versions and your own raw folders stay
	@$(IN_ROOT) && { \
		for made in target logs warehouse/build warehouse/landing warehouse/check .pytest_cache .ruff_cache .hypothesis; do \
			if [ -e "$$made" ]; then echo "removing $$made"; rm -rf -- "$$made"; fi; \
		done; \
		for recipe in companies/*/prepare.py; do \
			for made in "$${recipe%prepare.py}"raw "$${recipe%prepare.py}"raw.* "$${recipe%prepare.py}"truth; do \
				if [ -e "$$made" ]; then echo "removing $$made"; rm -rf -- "$$made"; fi; \
			done; \
		done; \
		find . -name .venv -prune -o -name __pycache__ -type d -prune -exec rm -rf -- {} +; \
	}
