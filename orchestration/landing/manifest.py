"""What landing remembers between runs: the facts of every landed file, and when each content was first seen."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from .judging import Repair
from .key_conflicts import KeyConflicts
from .personal_ids import PersonalIds

MANIFEST_NAME = "manifest.json"


@dataclass(frozen=True)
class FileFacts:
    """What was learned from reading a file once."""

    rows: int
    encoding: str | None
    delimiter: str | None
    ignored_columns: tuple[str, ...]
    missing_columns: tuple[str, ...]
    malformed_rows: int
    notices: tuple[str, ...]
    repairs: tuple[Repair, ...]
    key_conflicts: KeyConflicts
    landed_bytes: int  # size of the landing Parquet, to recognise one that was cut off
    landed_digest: str = ""  # SHA-256 of it, to recognise one that was changed
    personal_ids: PersonalIds = PersonalIds()
    rows_filtered: int = 0


@dataclass
class Manifest:
    """Facts by fingerprint, and first sights by table, file name and content hash (UTC without a zone)."""

    facts: dict[str, FileFacts] = field(default_factory=dict)
    first_seen: dict[str, dict[str, dict[str, datetime]]] = field(default_factory=dict)
    is_damaged: bool = False

    def seen_at(self, table: str, file_name: str, content: str) -> datetime | None:
        """Return when this content of this file was first landed, or None: never."""
        return self.first_seen.get(table, {}).get(file_name, {}).get(content)

    def remember(self, table: str, file_name: str, content: str, seen_at: datetime) -> None:
        self.first_seen.setdefault(table, {}).setdefault(file_name, {})[content] = seen_at


def load_manifest(landing_dir: Path) -> Manifest:
    """Read the manifest; one that is missing or damaged remembers nothing."""
    try:
        document = json.loads((landing_dir / MANIFEST_NAME).read_text(encoding="utf-8"))
        return Manifest(
            facts={fingerprint: _facts(entry) for fingerprint, entry in document["files"].items()},
            first_seen={
                table: {
                    name: {content: _naive_datetime(seen) for content, seen in contents.items()}
                    for name, contents in names.items()
                }
                for table, names in document["first_seen"].items()
            },
        )
    except FileNotFoundError:
        return Manifest()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Manifest(is_damaged=True)


def save_manifest(landing_dir: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step.

    Raises:
        OSError: it cannot be written.
    """
    document = {
        "files": {fingerprint: asdict(facts) for fingerprint, facts in manifest.facts.items()},
        "first_seen": manifest.first_seen,
    }
    temporary = landing_dir / f"{MANIFEST_NAME}.tmp"
    text = json.dumps(document, ensure_ascii=False, indent=1, default=datetime.isoformat)
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, landing_dir / MANIFEST_NAME)


def _facts(entry: dict[str, Any]) -> FileFacts:
    return FileFacts(
        rows=int(entry["rows"]),
        encoding=entry["encoding"],
        delimiter=entry["delimiter"],
        ignored_columns=tuple(entry["ignored_columns"]),
        missing_columns=tuple(entry["missing_columns"]),
        malformed_rows=int(entry["malformed_rows"]),
        notices=tuple(entry["notices"]),
        # an older version counted none; its rows are landed again, and when files were first seen is kept
        repairs=tuple(Repair(**repair) for repair in entry.get("repairs", ())),
        key_conflicts=KeyConflicts(**entry.get("key_conflicts", {})),
        landed_bytes=int(entry["landed_bytes"]),
        landed_digest=entry.get("landed_digest", ""),
        personal_ids=PersonalIds(**entry.get("personal_ids", {})),
        rows_filtered=int(entry.get("rows_filtered", 0)),
    )


def _naive_datetime(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError(f"{text} has an offset; expected UTC without one")
    return moment
