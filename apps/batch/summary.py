"""summary.json and summary.html: what came of a batch, for programs and for people."""

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from affetto.apps.batch.item import RESULT
from affetto.apps.batch.job import Item, Summary
from affetto.apps.report_parts import document, local_address
from affetto.files import staged_file

PAGE, TABLE = "summary.html", "summary.json"
MOST_ROWS = 2000  # of a table on the page; summary.json has all
REPORT = "report.html"
WHOLE = 'style="overflow-wrap:break-word"'


def plain(summary: Summary) -> dict[str, Any]:
    """The summary as JSON types."""
    return asdict(summary) | {"exit_code": summary.exit_code}


def text(summary: Summary) -> str:
    """The summary in a few lines for a terminal."""
    before = f" ({summary.done_before} of them before)" if summary.done_before else ""
    lines = [f"{summary.done} of {summary.total} done{before} in {summary.wall_s:.1f} s"]
    lines += [f"  {one.id} failed: {one.error}" for one in summary.failed[:20]]
    if len(summary.failed) > 20:
        lines.append(f"  and {len(summary.failed) - 20} more, see {PAGE}")
    if summary.problems:
        numbers = ", ".join(str(one.line) for one in summary.problems[:20])
        lines.append(f"  the manifest cannot be done in line {numbers}: see above or {PAGE}")
    if summary.exit_code:
        lines.append("The same command tries again what is missing.")
    return "\n".join([*lines, f"Open {summary.out}/{PAGE} to see all of it."])


def write_summary(out: Path, summary: Summary, items: Sequence[Item]) -> None:
    """Write both files into the batch's folder."""
    with staged_file(out / TABLE) as staged:
        staged.write_text(json.dumps(plain(summary), indent=2) + "\n", encoding="utf-8")
    with staged_file(out / PAGE) as staged:
        staged.write_text(_page(out, summary, items), encoding="utf-8")


def _page(out: Path, summary: Summary, items: Sequence[Item]) -> str:
    sections = [_head(summary), _facts(summary), _failures(summary), _problems(summary)]
    return document("Batch summary", [*sections, _results(out, summary, items)])


def _head(summary: Summary) -> str:
    wrong = len(summary.failed) + len(summary.problems)
    said = "Everything is done." if not wrong else f"{wrong} of {summary.total} are not done."
    made = time.strftime("%d %B %Y, %H:%M")
    return (
        f'<header><h1>{escape(said)}</h1><p class="lead">Affetto batch, {made}</p>'
        '<p class="notice" role="note">Talking portraits and soundtracks are AI-generated. What a '
        "recognizer says is not a statement about anybody's inner state.</p></header>"
    )


def _facts(summary: Summary) -> str:
    now = summary.done - summary.done_before
    facts = [
        ("Done", f"{summary.done} of {summary.total}"),
        ("Failed", str(len(summary.failed))),
        ("Cannot be done", str(len(summary.problems))),
        ("Done in this run", str(now)),
        ("This run took", f"{summary.wall_s:.1f} s"),
    ]
    if now:
        facts.append(("One item took", f"{summary.done_s / now:.2g} s"))
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts
    )
    return f"<section><h2>In short</h2><dl>{rows}</dl></section>"


def _failures(summary: Summary) -> str:
    rows = [(escape(one.id), escape(one.do), escape(one.error)) for one in summary.failed]
    return _table("Failed", "Run the same command to try these again.", ("Id", "Job", "Why"), rows)


def _problems(summary: Summary) -> str:
    rows = [(str(one.line), escape(one.text)) for one in summary.problems]
    note = "Mend these lines of the manifest and run the same command again."
    return _table("Lines that cannot be done", note, ("Line", "Why"), rows)


def _results(out: Path, summary: Summary, items: Sequence[Item]) -> str:
    failed = {one.id for one in summary.failed}
    done = [item for item in items if item.id not in failed]
    kinds = ", ".join(f"{count} {do}" for do, count in sorted(Counter(i.do for i in done).items()))
    rows = [(_link(out, item.id), escape(item.do)) for item in done[:MOST_ROWS]]
    return _table("Results", f"{kinds}.", ("Folder", "Job"), rows, total=len(done))


def _link(out: Path, identity: str) -> str:
    page = REPORT if (out / identity / REPORT).exists() else RESULT
    address = escape(local_address(f"{identity}/{page}"), quote=True)
    return f'<a href="{address}">{escape(identity)}</a>'


def _table(
    heading: str,
    note: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    total: int | None = None,
) -> str:
    """A section with a table of HTML cells; nothing where there are no rows."""
    if not rows:
        return ""
    total = total or len(rows)
    head = "".join(f'<th scope="col" {WHOLE}>{name}</th>' for name in names)
    body = "".join(_row(row) for row in rows[:MOST_ROWS])
    more = f"<p>And {total - MOST_ROWS} more.</p>" if total > MOST_ROWS else ""
    return (
        f'<section><h2>{heading}</h2><p class="faint">{escape(note)}</p>'
        f'<div style="overflow-x:auto"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        f"</table></div>{more}</section>"
    )


def _row(cells: Sequence[str]) -> str:
    """A row; only its last cell, usually a sentence, may break words."""
    first = "".join(f"<td {WHOLE}>{cell}</td>" for cell in cells[:-1])
    return f"<tr>{first}<td>{cells[-1]}</td></tr>"
