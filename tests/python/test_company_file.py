"""A company.yml that is wrong on purpose: each ends in one sentence that says what to do, and never in a traceback."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from orchestration.company_file import CompanyFile, read_company_file
from orchestration.company_yaml import MOST_BYTES, MOST_LEVELS, MOST_VALUES
from orchestration.errors import SettingsError, shown
from orchestration.landing.csv_files import FileDialect
from orchestration.settings import ROOT, load_settings, read_company_settings

KNOWN = read_company_settings(ROOT)
BOMB = "\n".join(["a0: &a0 x", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))])


def numbered(cases: list) -> list:
    """Cases with short names: some of them hold what no terminal should show."""
    return [pytest.param(*case, id=str(number)) for number, case in enumerate(cases)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "company.yml"


def refusal(path: Path, content: str | bytes | None = None) -> str:
    """What is said of a content: one short line, which names the file, without what a terminal would obey."""
    if content is not None:
        path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    with pytest.raises(SettingsError) as refused:
        read_company_file(path, KNOWN)
    said = str(refused.value)
    assert said.startswith(str(path))
    # at most one sentence of its own and the names of all settings
    assert len(said) < 250 + len(", ".join(KNOWN)) + len(str(path))
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e\ud800-\udfff]", said), said
    assert said.endswith((".", "?", ")"))
    return said.removeprefix(str(path))


def read(path: Path, content: str) -> CompanyFile:
    path.write_text(content, encoding="utf-8")
    return read_company_file(path, KNOWN)


# Values


@pytest.mark.parametrize(
    ("line", "said"),
    numbered(
        [
            (
                "active_days: 99999999999999999999999",
                "99999999999999999999999 (whole number); expected a whole number from 1",
            ),
            (
                "active_days: 3000000",
                "sets active_days to 3000000 (whole number); expected a whole number from 1 to 3650",
            ),
            (
                f"active_days: {'9' * 6000}",
                "9… (6,000 characters) (number of 6,000 characters); expected a whole number",
            ),
            ("point_value: 1.0e+300", "1e+300 (number); expected a number from 0 to 1000000"),
            ("point_value: 1.0e+400", "inf (number); expected a number"),
            ("point_value: .nan", "nan (number); expected a number"),
            ("point_value: -.inf", "-inf (number); expected a number"),
            ("active_days: on", "True (yes/no value); expected a whole number"),
            ("active_days: yes", "True (yes/no value); expected a whole number"),
            ("point_value: off", "False (yes/no value); expected a number"),
            ("active_days: 010", "010 (number that is not written in plain digits); expected a whole number"),
            ("active_days: 0x5A", "0x5A (number that is not written in plain digits)"),
            ("active_days: 1:30", "1:30 (number that is not written in plain digits)"),
            ("point_value: 1:30.5", "1:30.5 (number that is not written in plain digits)"),
            ("active_days: 1e2", 'to "1e2"; expected a whole number'),
            ("company_name: 2026-13-45", "2026-13-45 (date); expected text"),
            ("company_name: 2026-01-01", "2026-01-01 (date); expected text"),
            ("company_name: [a, b]", "a list; expected text"),
            ("company_name: {a: b}", "a mapping; expected text"),
            (f"company_name: {'x' * 500}", 'x… (500 characters)"; expected text of at most 200 characters'),
            ('company_name: "\\e[31mred"', 'to "�[31mred"; expected text'),
            ('company_name: "\\uD800"', 'to "�"; expected text'),
            ('company_name: "\\u202Eturned"', 'to "�turned"; expected text'),
            ('company_name: "\\0"', 'to "�"; expected text'),
            ("company_name: |\n  two\n  lines", 'to "two�lines'),
            ("business_timezone: Mars/Olympus", 'to "Mars/Olympus"; expected the IANA name of a time zone'),
            ("business_timezone: localtime", 'to "localtime"; expected the IANA name'),
            ("business_timezone: ../../etc/passwd", "expected the IANA name of a time zone"),
            ("business_timezone: posix/UTC", "expected the IANA name of a time zone"),
            ("business_timezone: +08:00", "expected the IANA name of a time zone"),
            (f"{'x' * 900}: 1", f'sets "{"x" * 59}… (900 characters)", which the project does not have'),
            (
                '"\\e[2Jactive_days": 1',
                'sets "�[2Jactive_days", which the project does not have. Did you mean active_days?',
            ),
        ]
    ),
)
def test_a_value_that_no_setting_can_have_is_told_cut_short(path: Path, line: str, said: str) -> None:
    assert said in refusal(path, line + "\n")


def test_the_message_of_a_setting_says_what_holds_without_it(path: Path) -> None:
    assert refusal(path, "active_days: 0\n").endswith("Correct it, or remove the line for the default (90).")


# What is YAML, but no settings


@pytest.mark.parametrize(
    ("content", "said"),
    numbered(
        [
            (
                f"{BOMB}\ncompany_name: *a11\n",
                ", line 2 refers by *a0 to another value; expected each value written out.",
            ),
            ("active_days: &a 90\nlapsed_days: *a\n", ", line 2 refers by *a to another value"),
            ("files: &f [*f]\n", ", line 1 refers by *f to another value"),
            ("<<: {active_days: 90}\n", 'sets "<<", which the project does not have.'),
            (
                "company_name: !!python/object/apply:os.getcwd []\n",
                ", line 1 has the tag !!python/object/apply:os.getcwd;",
            ),
            ("active_days: !days 90\n", ", line 1 has the tag !days; expected a plain value. Remove the tag."),
            ("active_days: !!int '90'\n", ", line 1 has the tag !!int;"),
            (
                "active_days: 90\nactive_days: 91\n",
                ", line 2 has active_days again, which line 1 has; expected it once.",
            ),
            ("files:\n- {path: a.csv, path: b.csv, encoding: utf-8}\n", ", line 2 has path again"),
            ("[a, b]: 1\n", ", line 1 has a list or mapping for a name"),
            ("active_days: 90\n---\nactive_days: 91\n", ", line 2 begins a second document with ---"),
            (f"company_name: {'[' * 5000}\n", f", line 1 is nested more than {MOST_LEVELS} levels deep"),
            (f"company_name: {'{a: ' * 5000}\n", f", line 1 is nested more than {MOST_LEVELS} levels deep"),
            (
                "\n".join(f"{' ' * n}a:" for n in range(99)) + "\n",
                f", line {MOST_LEVELS + 1} is nested more than {MOST_LEVELS} levels",
            ),
            (f"files: [{'a,' * MOST_VALUES}a]\n", f", line 1 comes after {MOST_VALUES:,} values; expected fewer."),
            (f"company_name: {'x' * MOST_BYTES}\n", " is larger than 64 KiB; expected a few lines of settings."),
            ("- company_name\n", " holds a list; expected one line per setting"),
            ("90\n", " holds a whole number; expected one line per setting"),
            (f"{'9' * 6000}\n", " holds a number of 6,000 characters; expected one line per setting"),
            ("just words\n", " holds a text; expected one line per setting"),
        ]
    ),
)
def test_what_stands_for_more_than_it_says_is_refused(path: Path, content: str, said: str) -> None:
    assert said in refusal(path, content)


@pytest.mark.parametrize(
    ("content", "said"),
    numbered(
        [
            ("company_name: Shop\nactive_days: [1, 2\n", ", line 3 is no YAML: expected ',' or ']', but got"),
            ("company_name: 'Shop\n", " is no YAML: found unexpected end of stream"),
            ("company_name: Shop\n\tactive_days: 3\n", ", line 2 is no YAML"),
            ('company_name: "\\UFFFFFFFF"\n', " is no YAML: it has a number that is none in an escape"),
            (f"%YAML {'9' * 6000}.1\n---\na: 1\n", " is no YAML"),
            ("company_name: *\n", ", line 1 is no YAML"),
            ("company_name: \x07\n", ", line 1 holds the control character U+0007; expected text."),
            ("company_name: Shop\nactive_days: \x0090\n", ", line 2 holds the control character U+0000"),
            ("company_name: Shop\x1b[2J\n", ", line 1 holds the control character U+001B"),
            (
                "company_name: 小店\n".encode("gb18030"),
                ", line 1 is not text in UTF-8 (byte 0xB5). Save the file as UTF-8.",
            ),
            ("company_name: Shop\n".encode("utf-16"), ", line 1 is not text in UTF-8 (byte 0xFF)"),
            (b"PK\x03\x04" + bytes(range(256)) * 100, ", line 2 is not text in UTF-8 (byte 0x80)"),
            (bytes(1000), ", line 1 holds the control character U+0000"),
        ]
    ),
)
def test_what_is_no_yaml_is_told_with_its_line(path: Path, content: str | bytes, said: str) -> None:
    assert said in refusal(path, content)


def test_a_folder_a_pipe_and_a_link_to_nothing_are_no_settings(path: Path) -> None:
    path.mkdir()
    assert refusal(path) == " is a folder; expected a text file of settings. Move the folder away."
    path.rmdir()
    os.mkfifo(path)
    assert refusal(path) == " is no file; expected a text file of settings. Replace or remove it."
    path.unlink()
    path.symlink_to("gone.yml")
    assert refusal(path) == " is a link to nothing; expected a text file of settings. Replace or remove it."


def test_a_file_that_may_not_be_read_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text("active_days: 90\n")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(path).startswith(" cannot be read (Permission denied); give the user")


# How files are written


@pytest.mark.parametrize(
    "delimiter",
    ["'\"'", '"\\n"', '"\\r"', "a", "'7'", "é", "''", "'||'", '"\\0"', '"\\u2028"', '"\\uFEFF"', '"\\e"', "7", "yes"],
)
def test_a_delimiter_that_cannot_stand_between_fields_is_refused(path: Path, delimiter: str) -> None:
    said = refusal(path, f"files: [{{path: a.csv, delimiter: {delimiter}}}]\n")
    assert said.startswith(", entry 1 of files sets delimiter to ")
    assert "expected one character in quotes that is no letter, digit, quote or line break" in said


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "~", "^", " ", "\x01", "\x1f", "，", "§"])
def test_a_delimiter_that_can_is_taken(path: Path, delimiter: str) -> None:
    escaped = f"\\x{ord(delimiter):02x}" if delimiter < " " else delimiter
    dialects = read(path, f'files: [{{path: a.csv, delimiter: "{escaped}"}}]\n').dialects
    assert dialects == (FileDialect("a.csv", delimiter=delimiter),)


@pytest.mark.parametrize(
    "encoding",
    ["base64", "rot13", "punycode", "undefined", "idna", "raw_unicode_escape", "unicode_escape", "hex", "zlib", "bz2"]
    + ["utf8x", "", "'../utf-8'", "ü", '"utf-8\\0"', '"\\uD800"', "8", "[utf-8]", pytest.param("x" * 5000, id="long")],
)
def test_an_encoding_that_is_none_of_text_files_is_refused(path: Path, encoding: str) -> None:
    said = refusal(path, f"files: [{{path: a.csv, delimiter: ;, encoding: {encoding or repr('')}}}]\n")
    assert said.startswith(", entry 1 of files sets encoding to ")
    assert "expected an encoding of text such as utf-8, gb18030 or cp1252" in said


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf-8-sig", "gbk", "gb18030", "cp1252", "latin-1", "utf-16-le"])
def test_an_encoding_of_text_files_is_taken(path: Path, encoding: str) -> None:
    [dialect] = read(path, f"files: [{{path: a.csv, encoding: {encoding}}}]\n").dialects
    assert dialect.encoding == encoding


@pytest.mark.parametrize(
    ("entry", "said"),
    numbered(
        [
            ("{path: [a.csv], encoding: utf-8}", "has the path a list; expected a file name"),
            (f"{{path: {'a*' * 500}, encoding: utf-8}}", '(1,000 characters)"; expected a file name or pattern'),
            ('{path: "a\\n.csv", encoding: utf-8}', 'has the path "a�.csv"; expected a file name'),
            ("[path]", "entry 1 of files is a list; expected path"),
            ("90", "entry 1 of files is a whole number; expected path"),
        ]
    ),
)
def test_an_entry_of_files_that_is_none_is_told(path: Path, entry: str, said: str) -> None:
    assert said in refusal(path, f"files: [{entry}]\n")


# What is right stays right


def test_what_people_write_is_read_as_they_mean_it(path: Path) -> None:
    content = (
        "\ufeff# 设置\r\ncompany_name: 'O''Hara: 小店'\r\nreporting_currency: \"EUR\"\r\nactive_days: 1_20\r\n"
        "point_value: 0.05\r\nhigh_value_annual_amount: 1.5e+3\r\nfree_orders_are_purchases: yes\r\n"
        'files:\r\n  - path: orders/*.csv\r\n    delimiter: "\\t"\r\n'
    )
    path.write_bytes(content.encode("utf-8"))
    assert read_company_file(path, KNOWN) == CompanyFile(
        {
            "company_name": "O'Hara: 小店",
            "reporting_currency": "EUR",
            "active_days": 120,
            "point_value": 0.05,
            "high_value_annual_amount": 1500.0,
            "free_orders_are_purchases": True,
        },
        (FileDialect("orders/*.csv", delimiter="\t"),),
    )


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "---\n", "null\n", "files:\n", "sources:\n"])
def test_a_file_that_says_nothing_sets_nothing(path: Path, content: str) -> None:
    assert read(path, content) == CompanyFile()


def test_a_text_in_quotes_is_a_text_whatever_it_looks_like(path: Path) -> None:
    stated = read(path, "company_name: '2024'\ncompany_id: \"yes\"\n")
    assert stated.variables == {"company_name": "2024", "company_id": "yes"}


def test_a_refresh_reads_the_file_by_these_rules(tmp_path: Path, path: Path) -> None:
    path.write_text(f"company_name: {'[' * 5000}\n")
    with pytest.raises(SettingsError, match="levels deep"):
        load_settings({"STICKINESS_RAW_DIR": str(tmp_path)})


def test_a_text_is_shown_short_and_clean() -> None:
    assert shown("Shop\n一号店") == "Shop�一号店"
    assert shown("x" * 60) == "x" * 60
    assert shown("x" * 61) == "x" * 59 + "… (61 characters)"
