"""What the steps of a refresh share: its configuration, the lock on the warehouse, how they tell what went wrong."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from dagster import ConfigurableResource, Failure, InitResourceContext, OpExecutionContext, RetryRequested

from orchestration.alerts.causes import told_of
from orchestration.errors import StickinessError
from orchestration.faults import fault_of, may_pass
from orchestration.modes import private_files
from orchestration.retries import WAITS, patiently
from orchestration.run_tables import company_id
from orchestration.settings import ROOT, Settings, load_settings, parse_allow, parse_as_of, warehouse_folder
from orchestration.warehouse_lock import warehouse_lock

# the DuckDB file of the build has one writer at a time
WRITER_POOL = "warehouse_writer"
COMPANY_TAG, AS_OF_TAG = "company", "as_of"


class RefreshConfig(ConfigurableResource):
    """What a run may ask for beyond the environment. While a run lasts, it alone holds the warehouse."""

    as_of: str | None = None
    full_refresh: bool = False
    refit: bool = False
    allow: str = ""
    is_automatic: bool = False
    root: str = str(ROOT)

    @contextlib.contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Iterator["RefreshConfig"]:
        run_id = context.run.run_id if context.run else None
        warehouse = warehouse_folder(root=Path(self.root))
        with private_files(), contextlib.ExitStack() as held:
            patiently(lambda: held.enter_context(warehouse_lock(warehouse, run_id)), self.waits)
            yield self

    @property
    def waits(self) -> Sequence[float]:
        """Seconds before each new attempt at what may pass by itself; none where somebody has started the run."""
        return WAITS if self.is_automatic else ()

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


def tag_run(context: OpExecutionContext, settings: Settings, as_of: date | None) -> None:
    """Have the list of runs show whose data a run is about, and as of which day, as soon as that is known."""
    known = {} if as_of is None else {AS_OF_TAG: as_of.isoformat()}
    context.instance.add_run_tags(context.run.run_id, {COMPANY_TAG: company_id(settings), **known})


@contextlib.contextmanager
def raised_as_failure(context: OpExecutionContext | None = None, waits: Sequence[float] = ()) -> Iterator[None]:
    """Turn an error that a person can act on into one that Dagster shows by its message.

    One that may pass by itself has the step tried again after each of `waits` (seconds), of which `context` knows how
    many have passed.
    """
    try:
        yield
    except Exception as error:
        told = str(error) if isinstance(error, StickinessError) else fault_of(error, warehouse_folder())
        if told is None:
            raise
        tried = context.retry_number if context else 0
        if tried < len(waits) and may_pass(error):
            context.log.warning(f"{told}\n\nThis may pass by itself; tried again in {waits[tried]:.0f} seconds.")
            raise RetryRequested(max_retries=len(waits), seconds_to_wait=waits[tried]) from error
        raise Failure(description=told, metadata=told_of(error), allow_retries=False) from error
