"""The whole company, chunk by chunk: memory is that of one chunk of customers, however many there are."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from . import raw_tables, truth
from .config import AS_OF, FIRST_DAY, Config, SampleError, customers_of
from .customer_chunk import Chunk, draw_chunk
from .dirt import Dirt
from .people import guests_of
from .raw_tables import Numbering
from .season import Season
from .tables import ParquetWriter, Table

COMPANY_FILE = Path(__file__).parent.parent / "company.yml"
RAW, TRUTH = "raw", "truth"
TRUTH_FILE = Path(TRUTH) / "truth.json"
PARTS = ".parts"


def simulate(folder: Path, size: str | int = "small", seed: int = 1, config: Config | None = None) -> None:
    """Write a simulated company: `folder`/raw, a raw folder of the contract, and `folder`/truth, what is known of it.

    Args:
        folder: is made; one that holds a simulated company already is replaced once the new one is complete.
        size: small, medium, large, or a number of customers.
        seed: the same size and seed give the same files.
        config: other parameters than the usual ones; size and seed are then its own.

    Raises:
        SampleError: there is no such size, or the folder holds something else.
    """
    config = config or Config(customers_of(size), seed)
    folder = Path(folder)
    _refuse_other_folders(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _Simulation(config, made / "new").run()
        if folder.exists():
            folder.rename(made / "old")
        (made / "new").rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _refuse_other_folders(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SampleError(f"{folder} is a file. Name a folder to write the company into.")
    entries = {entry.name for entry in folder.iterdir()}
    if entries and (entries != {RAW, TRUTH} or not (folder / TRUTH_FILE).is_file()):
        raise SampleError(f"{folder} holds something other than a simulated company. Name another folder, or empty it.")


class _Simulation:
    def __init__(self, config: Config, folder: Path) -> None:
        self.config = config
        self.folder = folder
        self.season = Season(config.season)
        self.numbering = Numbering()
        self.nps = truth.NpsTruth()
        self.repurchase = truth.RepurchaseTruth()
        self.campaigns = truth.CampaignsTruth(config)
        self.dirt = Dirt(config, folder / RAW)
        self.overdrawn: list[str] = []

    def run(self) -> None:
        with ParquetWriter() as self.writer:
            first_customer, first_person = 1, 0
            for number, registered in enumerate(self.config.chunks):
                self._write(draw_chunk(self.config, self.season, number, registered, first_customer, first_person))
                first_customer += registered
                first_person += registered + guests_of(self.config, registered)
            self._write_whole()

    def _write(self, chunk: Chunk) -> None:
        numbers = self.numbering.of(chunk)
        part = f"part-{chunk.number:04d}.parquet"
        for name, table in raw_tables.tables_of(self.config, chunk, numbers).items():
            kept = self.dirt.soil(self.writer, chunk.number, name, table)
            self.writer.write(self.folder / RAW / name / part, kept)
        chances = truth.second_purchase_probabilities(self.config, chunk.shopping, self.season)
        for name, table in truth.tables_of(self.config, chunk, numbers, self.season, chances).items():
            self.writer.write(self.folder / PARTS / name / part, table)
        shopping = chunk.shopping
        self.nps.add(self.config, shopping.people, chunk.invitations)
        self.repurchase.add(shopping.people, chances)
        self.campaigns.add(shopping.assignments, shopping.days)
        self.overdrawn += [f"L{number:08d}" for number in numbers.points[chunk.points.is_overdrawn]]

    def _write_whole(self) -> None:
        """What is not of a chunk."""
        raw, known = self.folder / RAW, self.folder / TRUTH
        self.writer.write(raw / "products.parquet", raw_tables.products_table())
        self.writer.write(raw / "campaigns.parquet", raw_tables.campaigns_table(self.config))
        self.writer.write(raw / "coupons" / "public.parquet", raw_tables.public_coupons_table())
        # in one warehouse a company of another size is another company, not a fall of the sample's rows
        own = f"company_id: sample of {self.config.customers} customers, seed {self.config.seed}\n"
        text = COMPANY_FILE.read_text(encoding="utf-8") + own
        (raw / COMPANY_FILE.name).write_text(text, encoding="utf-8")
        known.mkdir()
        for parts in sorted((self.folder / PARTS).iterdir()):
            self.writer.join_files(parts, known / f"{parts.name}.parquet")
        shutil.rmtree(self.folder / PARTS)
        whole: dict[str, Table] = {
            "nps_segments": self.nps.table(),
            "repurchase": self.repurchase.table(),
            "repurchase_cohorts": self.repurchase.cohorts(),
        }
        for name, table in whole.items():
            self.writer.write(known / f"{name}.parquet", table)
        text = json.dumps(self._summary(), indent=2, ensure_ascii=False, default=_shown)
        (self.folder / TRUTH_FILE).write_text(text + "\n", encoding="utf-8")

    def _summary(self) -> dict[str, Any]:
        config = self.config
        return {
            "seed": config.seed,
            "customers": config.customers,
            "first_day": FIRST_DAY,
            "as_of": AS_OF,
            "season": asdict(config.season),
            "programme": {"launch": config.programme.launch, "rate_effect": config.programme.rate_effect},
            "campaigns": self.campaigns.summary(),
            "web_funnel": {
                s.name: {"view": s.view, "cart": s.cart, "checkout": s.checkout, "purchase": s.purchase}
                for s in config.web.sources
            },
            "bad_ticket_dropout": config.purchases.bad_ticket_dropout,
            "points": {"overdrawing_redemptions": len(self.overdrawn), "points_transaction_ids": self.overdrawn},
            "dirt": self.dirt.counts,
            "parameters": asdict(config),
        }


def _shown(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in truth.json")
