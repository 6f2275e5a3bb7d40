"""The dbt models and their tests: one `dbt build`, each model an asset, each test a check on its model."""

import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

from dagster import AssetCheckResult, AssetCheckSpec, AssetExecutionContext, AssetsDefinition, AssetSpec, Output
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, DbtProject, dbt_assets
from dagster_dbt.asset_utils import default_asset_key_fn
from packaging.version import Version

from orchestration.asset_texts import DATA_OWNER, asset_description, check_description, owners_by_group, owners_of
from orchestration.assets.refresh import WRITER_POOL, RefreshConfig, raised_as_failure
from orchestration.contract import load_contract
from orchestration.dbt_project import (
    DBT_OF_THIS_PROCESS,
    dbt_environment,
    published_models,
    read_json,
    share_parse,
    target_folder,
)
from orchestration.engines.registry import load_engine
from orchestration.errors import BuildError, Fact
from orchestration.failure_report import FAILED_STATUSES, describe_failures, failure_facts, personal_columns
from orchestration.faults import fault_in, may_pass_in
from orchestration.figures import Figures, mart_figures
from orchestration.landing.damage import landing_damage
from orchestration.lifeline import PARENT
from orchestration.masking import masked
from orchestration.progress import Progress, nodes_by_id
from orchestration.settings import WAREHOUSE_DIR, Settings

SEEDS = "seeds"
_DBT_ERRORS_SHOWN = 3
_SECONDS_TO_STOP = 10


class DbtCli(DbtCliResource):
    """dbt without two things that dagster-dbt does before each command, which cost seconds and are not needed here.

    It asks `dbt --version`, which starts another dbt and calls the package registry; and it loads dbt's adapter into
    this process to look at built tables, which also could leave the build database open while dbt wants to write it.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Any) -> None:
        return None


class Translator(DagsterDbtTranslator):
    """Shows models in the groups of dbt, seeds in one of their own, and both in the words of their YAML."""

    def __init__(self, owners: Mapping[str, Sequence[str]]) -> None:
        """`owners` are those of each group."""
        super().__init__()
        self._owners = owners

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return asset_description(dbt_resource_props)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        return self._owners.get(self.get_group_name(dbt_resource_props) or "") or None

    def get_asset_check_spec(
        self, asset_spec: AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=check_description(manifest["nodes"][unique_id]))

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "seed":
            return SEEDS
        return super().get_group_name(dbt_resource_props)


def dbt_resource(project: DbtProject) -> DbtCli:
    """The resource that runs dbt on the project."""
    # this Python, which is told to run the file before what dagster-dbt tells dbt
    return DbtCli(project_dir=project, dbt_executable=sys.executable, global_config_flags=list(DBT_OF_THIS_PROCESS))


def build_arguments(target: str, full_refresh: bool) -> list[str]:
    """The one dbt command of a refresh. Unit tests say nothing about the data; `make test` runs them."""
    arguments = ["build", "--target", target, "--exclude-resource-type", "unit_test"]
    return [*arguments, "--full-refresh"] if full_refresh else arguments


def build_dbt_models(project: DbtProject, manifest: Mapping[str, Any], served: Settings) -> AssetsDefinition:
    """Every model and seed of the project as an asset, built together; `served` names their owners."""
    owners = owners_by_group(manifest, served) | {SEEDS: owners_of(served, DATA_OWNER)}

    @dbt_assets(
        manifest=manifest,
        project=project,
        name="dbt_models",
        pool=WRITER_POOL,
        dagster_dbt_translator=Translator(owners),
    )
    def dbt_models(context: AssetExecutionContext, dbt: DbtCli, refresh: RefreshConfig) -> Iterator[Any]:
        with raised_as_failure(context, refresh.waits):
            settings = refresh.settings()
            arguments = build_arguments(settings.target, settings.full_refresh)
            invocation = _start(dbt, settings, arguments, context=context)
            messages: list[str] = []
            held = Held(manifest)
            try:
                yield from held.hold_back(_follow(invocation, manifest, messages))
            finally:
                _stop(invocation.process)
            engine = load_engine(settings.target, settings.warehouse)
            yield from held.release(mart_figures(engine, manifest, held.built, context.log.warning))
            _check(invocation, settings, messages)

    return dbt_models


class Held:
    """The events of published models, of what is built from them and of their checks, kept until dbt has ended.

    Nobody else can ask the build for figures before, and Dagster takes no event of a model before those that it reads.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._published = frozenset(published_models(manifest))
        held = _with_readers(manifest, self._published)
        self._keys = {default_asset_key_fn(manifest["nodes"][name]): name for name in held}
        self._events: list[Any] = []

    @property
    def built(self) -> list[str]:
        """Unique ids of the published models that were built."""
        models = [_model_of(event) for event in self._events if isinstance(event, Output)]
        return [model for model in models if model in self._published]

    def hold_back(self, events: Iterator[Any]) -> Iterator[Any]:
        """Yield the events of everything else."""
        for event in events:
            is_model = isinstance(event, Output) and _model_of(event) in self._keys.values()
            if is_model or (isinstance(event, AssetCheckResult) and event.asset_key in self._keys):
                self._events.append(event)
            else:
                yield event

    def release(self, figures: Mapping[str, Figures]) -> Iterator[Any]:
        """Yield the events that were kept, in their order, each model's with its figures."""
        for event in self._events:
            if isinstance(event, Output):
                event = event.with_metadata({**event.metadata, **figures.get(_model_of(event), {})})
            yield event


def _with_readers(manifest: Mapping[str, Any], models: Collection[str]) -> set[str]:
    """These models and all that are built from them, near or far."""
    nodes = {name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    found = set(models)
    while more := {
        name for name, node in nodes.items() if name not in found and found.intersection(node["depends_on"]["nodes"])
    }:
        found |= more
    return found


def _model_of(event: Output) -> str:
    """The unique id that dagster-dbt writes beside what it reports of a model."""
    return event.metadata["unique_id"].value


def build_ahead(dbt: DbtCli, manifest: Mapping[str, Any], settings: Settings, models: Sequence[str]) -> None:
    """Build and test models, and all that they read, before the rest.

    Raises:
        BuildError: a model or a test failed; the message is for a person.
    """
    # dagster-dbt takes one value only
    selected = " ".join(f"+{model}" for model in models)
    # a test that also reads what is not built yet waits for the whole build
    arguments = ["--select", selected, "--indirect-selection", "cautious"]
    invocation = _start(
        dbt, settings, [*build_arguments(settings.target, full_refresh=False), *arguments], manifest=manifest
    )
    messages: list[str] = []
    try:
        for event in invocation.stream_raw_events():
            if event.raw_event["info"]["level"] == "error":
                messages.append(event.raw_event["info"]["msg"])
    finally:
        _stop(invocation.process)
    _check(invocation, settings, messages)


def _start(dbt: DbtCli, settings: Settings, arguments: Sequence[str], **given: Any) -> DbtCliInvocation:
    target = target_folder(settings.warehouse)
    share_parse(settings.root, settings.target, target)
    # a build that stops before its first model must not be taken for the one before
    (target / "run_results.json").unlink(missing_ok=True)
    # profiles.yml reads it, from another working directory
    os.environ[WAREHOUSE_DIR] = str(settings.warehouse)
    os.environ.update(dbt_environment())
    # for this one process: what it starts, or what else this process does, has another starter
    os.environ[PARENT] = str(os.getpid())
    try:
        return dbt.cli(arguments, target_path=target, raise_on_error=False, **given)
    finally:
        del os.environ[PARENT]


def _follow(invocation: DbtCliInvocation, manifest: Mapping[str, Any], messages: list[str]) -> Iterator[Any]:
    """Yield what dbt reports as Dagster events, and show how far it is; collect what it says of errors."""
    progress = Progress(nodes_by_id(manifest))
    for event in invocation.stream_raw_events():
        info, data = event.raw_event["info"], event.raw_event["data"]
        if info["level"] == "error":
            messages.append(info["msg"])
        if info["name"] in _ENDED:
            node = data.get("node_info", {})
            failed = node.get("node_status") in FAILED_STATUSES
            progress.finished(node.get("unique_id", ""), data.get("execution_time") or 0.0, failed)
        yield from event.to_default_asset_events(
            manifest=invocation.manifest,
            dagster_dbt_translator=invocation.dagster_dbt_translator,
            context=invocation.context,
            target_path=invocation.target_path,
            project=invocation.project,
        )
    progress.close()


def _stop(process: subprocess.Popen) -> None:
    """End dbt where a run was interrupted: it must not go on writing to a warehouse that the next run may take."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


# the events of dbt that say that a node has ended
_ENDED = {"LogModelResult", "LogTestResult", "LogSeedResult", "LogSnapshotResult"}


def _check(invocation: DbtCliInvocation, settings: Settings, messages: list[str]) -> None:
    if invocation.process.returncode == 0:
        return
    said = masked("\n".join(messages[:_DBT_ERRORS_SHOWN])) or f"dbt ended with status {invocation.process.returncode}"
    results = target_folder(settings.warehouse) / "run_results.json"
    if not results.exists():
        raise _build_error(f"dbt stopped before it built anything:\n{said}{_remedy(settings, said)}", messages)
    found = read_json(results)
    report = describe_failures(
        invocation.manifest,
        found,
        load_engine(settings.target, settings.warehouse).read_build,
        personal_columns(load_contract(settings.root)),
    )
    facts = failure_facts(invocation.manifest, found)
    raise _build_error(f"{report or said}{_remedy(settings, report or said)}", messages, facts)


def _build_error(told: str, messages: Sequence[str], facts: Sequence[Fact] = ()) -> BuildError:
    """What a person is told of a build that failed; dbt's own messages say whether it may pass."""
    error = BuildError(told, facts)
    error.may_pass = any(may_pass_in(message) for message in messages)
    return error


def _remedy(settings: Settings, said: str) -> str:
    """What mends a machine, or files of the warehouse, that dbt could not work with; nothing where it could."""
    remedy = landing_damage(settings.landing_dir, said) or fault_in(said, settings.warehouse)
    return f"\n\n{remedy}" if remedy else ""
