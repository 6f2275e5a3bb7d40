"""What the steps of a refresh share: its configuration, the lock on the warehouse, how they tell what went wrong."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from dagster import ConfigurableResource, Failure, InitResourceContext

from orchestration.alerts.causes import told_of
from orchestration.errors import StickinessError
from orchestration.faults import fault_of
from orchestration.modes import private_files
from orchestration.settings import ROOT, Settings, load_settings, parse_allow, parse_as_of, warehouse_folder
from orchestration.warehouse_lock import warehouse_lock

# the DuckDB file of the build has one writer at a time
WRITER_POOL = "warehouse_writer"


class RefreshConfig(ConfigurableResource):
    """What a run may ask for beyond the environment. While a run lasts, it alone holds the warehouse."""

    as_of: str | None = None
    full_refresh: bool = False
    refit: bool = False
    allow: str = ""
    root: str = str(ROOT)

    @contextlib.contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["RefreshConfig"]:
        run_id = context.run.run_id if context.run else None
        with private_files(), warehouse_lock(warehouse_folder(root=Path(self.root)), run_id):
            yield self

    def settings(self) -> Settings:
        """The settings of this run; what the run asks for comes before the environment."""
        settings = load_settings(root=Path(self.root))
        return replace(
            settings,
            as_of=parse_as_of(self.as_of, "as_of in the run's configuration") if self.as_of else settings.as_of,
            full_refresh=self.full_refresh or settings.full_refresh,
            refit=self.refit or settings.refit,
            allow=parse_allow(self.allow, "allow in the run's configuration") | settings.allow,
        )


@contextlib.contextmanager
def raised_as_failure() -> Iterator[None]:
    """Turn an error that a person can act on into one that Dagster shows by its message."""
    try:
        yield
    except StickinessError as error:
        raise Failure(description=str(error), metadata=told_of(error), allow_retries=False) from error
    except Exception as error:
        told = fault_of(error, warehouse_folder())
        if told is None:
            raise
        raise Failure(description=told, metadata=told_of(error), allow_retries=False) from error
