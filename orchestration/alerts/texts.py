"""Every sentence of an alert, in both languages, and how alerts are put together from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from orchestration.alerts.causes import FAILED, REFUSED, STALE, WARNING, Cause
from orchestration.errors import Fact
from orchestration.publishing import Publication

LANGUAGES = ("en", "zh")

# what went wrong: facts of errors, of the guard, of runs and of data; the names of errors for those without facts
FACTS: Mapping[str, tuple[str, str]] = {
    "test_failed": (
        "The test {test} of {table} failed; rows found: {rows}.",
        "测试 {test}（{table}）未通过，查出 {rows} 行。",
    ),
    "test_not_run": ("The test {test} of {table} could not be run.", "测试 {test}（{table}）无法执行。"),
    "not_built": ("The table {table} could not be built.", "数据表 {table} 构建失败。"),
    "files_unreadable": ("Raw files that cannot be read: {files}.", "有 {files} 个原始文件无法读取。"),
    "orders_absent": (
        "No file holds rows of orders (orders_absent).",
        "没有任何文件包含订单数据（orders_absent）。",
    ),
    "table_gone": (
        "No file holds the table {table}, which had {rows_before} rows at the last publication (table_gone).",
        "没有任何文件包含数据表 {table}，上次发布时该表有 {rows_before} 行（table_gone）。",
    ),
    "fewer_rows": (
        "{table} has {rows} accepted rows; the last publication had {rows_before} (fewer_rows).",
        "{table} 的有效行数为 {rows}，上次发布时为 {rows_before}（fewer_rows）。",
    ),
    "less_revenue": (
        "The revenue of {table} is {fall} below that of the last publication (less_revenue).",
        "{table} 的收入比上次发布时少 {fall}（less_revenue）。",
    ),
    "rejected_rows": (
        "{rows} of the {judged} rows of {table} were rejected (rejected_rows).",
        "{table} 共 {judged} 行，其中 {rows} 行被拒（rejected_rows）。",
    ),
    "earlier_as_of": (
        "The as-of date would go back from {as_of_before} to {as_of} (earlier_as_of).",
        "数据截止日将从 {as_of_before} 退回到 {as_of}（earlier_as_of）。",
    ),
    "run_killed": (
        "The process of the run was killed, or the machine stopped.",
        "运行的进程被终止，或机器停机。",
    ),
    "run_too_long": ("The run took too long and was ended.", "运行时间过长，已被终止。"),
    "unexpected": (
        "An error that the project did not expect: {error}.",
        "出现程序未预料到的错误：{error}。",
    ),
    "stale_since": (
        "{table}: the newest data is of {newest}; more was expected by {expected}.",
        "{table}：最新数据为 {newest}，应在 {expected} 之前更新。",
    ),
    "stale_never_came": (
        "{table}: no data has come; it was expected by {expected}.",
        "{table}：一直没有数据，应在 {expected} 之前到达。",
    ),
    "check_warns": ("The check {test} warns.", "检查 {test} 发出警告。"),
    "SettingsError": ("A setting is wrong.", "某项设置有误。"),
    "SeedError": ("A seed file is wrong.", "某个种子文件有误。"),
    "ContractError": ("The raw contract is wrong.", "原始数据约定有误。"),
    "ProjectError": ("The dbt project cannot be parsed.", "无法解析 dbt 项目。"),
    "WarehouseError": ("The warehouse folder cannot be used.", "数据仓库文件夹无法使用。"),
    "WarehouseLockedError": ("Another run was using the warehouse.", "数据仓库正被另一次运行占用。"),
    "RawFolderError": ("The raw folder cannot be read.", "原始数据文件夹无法读取。"),
    "BuildError": ("The build stopped before it had built a table.", "构建在建成任何数据表之前就已停止。"),
    "PublicationError": ("The build could not be published.", "本次构建无法发布。"),
    "Machine": (
        "The machine does not allow it: see disk space, memory and rights.",
        "运行环境不满足要求，请检查磁盘空间、内存和权限。",
    ),
}
_OTHER_ERROR = ("An error of the kind {code}.", "错误类型：{code}。")

STEPS: Mapping[str, tuple[str, str]] = {
    "raw_tables": ("reading the raw files", "读取原始文件"),
    "model_fits": ("fitting the predictive models", "拟合预测模型"),
    "dbt_models": ("building and testing the tables", "构建并测试数据表"),
    "published": ("publication", "发布"),
    "": ("before the first step", "首个步骤之前"),
}

_TITLES: Mapping[str, tuple[str, str]] = {
    FAILED: ("The refresh failed ({step})", "数据刷新失败（{step}）"),
    REFUSED: ("The publication was refused", "本次发布被拦截"),
    STALE: ("Data is late", "数据未按时更新"),
    WARNING: ("New warnings", "出现新的警告"),
}
_OF_OTHER_JOBS = ("The run of {job} failed ({step})", "任务 {job} 运行失败（{step}）")
_CLEAR: Mapping[str, tuple[str, str]] = {
    FAILED: ("All clear: the refresh is good again", "已恢复：数据刷新正常"),
    STALE: ("All clear: the data has come", "已恢复：数据已更新"),
    WARNING: ("All clear: warnings are gone", "已恢复：警告已消除"),
}
_BEFORE = ("Before: {title}, since {since}.", "此前：{title}，始于 {since}。")
_WORDS = ("In the words of the run: {said}", "报错原文：{said}")
_WHEN = ("Seen {at}", "时间：{at}")
_RUN = ("{at}, run {run}", "{at}，运行 {run}")
_KEPT = (
    "Readers keep the version as of {as_of}, published {published_at} UTC.",
    "已发布的数据不受影响：截止 {as_of}，发布于 {published_at} UTC。",
)
_NONE_YET = ("Nothing has been published yet.", "目前尚未发布任何数据。")
_NOW = ("Published: as of {as_of}.", "已发布：数据截止 {as_of}。")
_ZONED = ("{moment} ({zone})", "{moment}（{zone}）")
_MORE = ("and {count} more", "另有 {count} 项")
LINES_SHOWN = 10

# jobs whose failure is that of a refresh
REFRESH_JOBS = ("", "refresh")


@dataclass(frozen=True)
class Message:
    """What is sent: a title of one line, and lines below it."""

    title: str
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole message."""
        return "\n".join([self.title, *self.lines])


@dataclass(frozen=True)
class Voice:
    """How a company is written to: its name, its language (one of LANGUAGES) and its time zone."""

    company: str = "stickiness"
    language: str = "en"
    time_zone: str = "UTC"

    def say(self, texts: tuple[str, str], **values: str | int) -> str:
        """A sentence of both languages in that of the company, with its values filled in."""
        shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
        return texts[LANGUAGES.index(self.language)].format(**shown)

    def title(self, text: str) -> str:
        """A title that says whose it is."""
        return f"【{self.company}】{text}" if self.language == "zh" else f"[{self.company}] {text}"

    def moment(self, at: datetime) -> str:
        """A moment on the clocks of the company."""
        moment = f"{at.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d %H:%M}"
        return self.say(_ZONED, moment=moment, zone=self.time_zone)


def alert(causes: Sequence[Cause], voice: Voice, published: Publication | None) -> Message:
    """One message of causes of one kind (those of a run count as one); `published` is what readers have."""
    lines = [line for cause in causes for line in _lines(cause, voice)]
    if causes[0].kind in (FAILED, REFUSED):
        lines.append(_kept(voice, published))
    return Message(voice.title(_title(causes[0], voice)), tuple(lines))


def all_clear(causes: Sequence[Cause], voice: Voice, published: Publication | None) -> Message:
    """The message that causes of one kind (those of a run count as one) have ended."""
    kind = FAILED if causes[0].kind == REFUSED else causes[0].kind
    if kind == FAILED:
        told = [voice.say(_BEFORE, title=_title(one, voice), since=voice.moment(one.at)) for one in causes]
        now = [] if published is None else [voice.say(_NOW, as_of=str(published.as_of_date))]
        lines = [*now, *told]
    else:
        lines = [_name(one) for one in causes]
    return Message(voice.title(voice.say(_CLEAR[kind])), tuple(_shortened(lines, voice)))


def _title(cause: Cause, voice: Voice) -> str:
    step = voice.say(STEPS[cause.step]) if cause.step in STEPS else cause.step
    if cause.kind == FAILED and cause.job not in REFRESH_JOBS:
        return voice.say(_OF_OTHER_JOBS, job=cause.job, step=step)
    return voice.say(_TITLES[cause.kind], step=step)


def _lines(cause: Cause, voice: Voice) -> list[str]:
    lines = _shortened([_sentence(fact, voice) for fact in cause.facts], voice)
    if cause.said:
        lines.append(voice.say(_WORDS, said=cause.said))
    if cause.kind in (FAILED, REFUSED):
        at = voice.say(_WHEN, at=voice.moment(cause.at))
        lines.append(voice.say(_RUN, at=at, run=cause.run_id[:8]) if cause.run_id else at)
    return lines


def _sentence(fact: Fact, voice: Voice) -> str:
    try:
        return voice.say(FACTS[fact.code], **fact.values)
    # a kind of error without a sentence, or a fact that another release has kept
    except KeyError:
        return voice.say(_OTHER_ERROR, code=fact.code)


def _kept(voice: Voice, published: Publication | None) -> str:
    if published is None:
        return voice.say(_NONE_YET)
    moment = f"{published.published_at:%Y-%m-%d %H:%M}"
    return voice.say(_KEPT, as_of=str(published.as_of_date), published_at=moment)


def _name(cause: Cause) -> str:
    """The table or the check that a cause is about."""
    return ", ".join(str(fact.values.get("table") or fact.values.get("test") or fact.code) for fact in cause.facts)


def _shortened(lines: Sequence[str], voice: Voice) -> list[str]:
    if len(lines) <= LINES_SHOWN:
        return list(lines)
    return [*lines[: LINES_SHOWN - 1], voice.say(_MORE, count=len(lines) - LINES_SHOWN + 1)]
