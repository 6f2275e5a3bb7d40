"""`make check`: what would become of the rows of a folder."""

from pathlib import Path

import pytest

from orchestration.checking import judge_landed, land_only
from orchestration.settings import load_settings


@pytest.mark.long
def test_a_check_tells_what_is_rejected_repaired_and_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    sound = "o{n},'c1,2026-01-0{n},paid,10"
    lines = [sound.format(n=n) for n in range(1, 4)] + ["o4,c1,2026-01-04,lost,10", "o5,c1,2026-01-05,paid,ten"]
    (raw / "orders.csv").write_text("\n".join(["order_id,customer_id,ordered_at,status,order_amount", *lines, ""]))
    settings = load_settings({"STICKINESS_RAW_DIR": str(raw), "STICKINESS_WAREHOUSE_DIR": str(tmp_path / "dw")})
    check = judge_landed(land_only(settings), settings)
    assert check.repairs == [("orders", "customer_id", "spreadsheet_mark", 3, "'c1")]
    assert check.tables["orders"].rows_accepted == 3
    assert sorted(rejection.reason_code for rejection in check.rejections) == ["out_of_domain", "unparseable_value"]
    assert not check.judgement.refused
    # nothing is built where a refresh builds
    assert not (tmp_path / "dw" / "build").exists()
