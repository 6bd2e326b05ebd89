"""A run of the pipeline as text: coloured where a terminal reads it, plain where a program does."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from kerac.inspector.differences import ADDED, REMOVED, Listing
from kerac.inspector.report import Report, Stage

CONTEXT = 3  # equal lines shown around a difference
_STYLES = {REMOVED: "red", ADDED: "green", "@": "cyan", " ": "dim"}
_HEADINGS = ("pass", "values", "removed", "added", "changed", "ms", "rules")


def pipeline_rows(report: Report) -> Iterator[tuple[str, ...]]:
    """A row for each pass, and one for all of them."""
    for stage in [*report.stages, report.overall]:
        difference = stage.difference
        lists = map(difference.computed, (difference.removed, difference.added, difference.changed))
        yield (
            stage.name,
            _values(stage),
            *(str(len(names)) if names else "" for names in lists),
            f"{stage.seconds * 1e3:.1f}",
            ", ".join(stage.rule_texts) if stage is not report.overall else "",
        )


def pipeline_table(report: Report) -> Table:
    """The passes as a table for a terminal."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    styles = ("", "", "red", "green", "yellow", "dim", "")
    for heading, style in zip(_HEADINGS, styles, strict=True):
        is_number = heading not in ("pass", "rules")
        table.add_column(
            heading, justify="right" if is_number else "left", style=style, no_wrap=is_number
        )
    rows = list(pipeline_rows(report))
    for number, row in enumerate(rows):
        last = number == len(rows) - 1
        idle = not any((*row[2:5], row[6]))
        cells = [Text(cell) for cell in row]
        table.add_row(*cells, style="bold" if last else "dim" if idle else None)
    return table


def pipeline_lines(report: Report) -> list[str]:
    """The passes as columns of plain text."""
    rows = [_HEADINGS, *pipeline_rows(report)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place in (0, len(row) - 1) else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def difference_lines(stage: Stage) -> list[tuple[str, str]]:
    """What a pass changed: a heading, then lines each under its mark."""
    heading = f"{stage.name}: {_values(stage)} values"
    if stage.rule_texts:
        heading += f", {', '.join(stage.rule_texts)}"
    return [("@", heading), *stage.difference.marked_lines(CONTEXT)]


def difference_text(stage: Stage) -> Text:
    """What a pass changed, in colours."""
    text = Text()
    for mark, line in difference_lines(stage):
        text.append(f"{mark} {line}\n", style=_STYLES[mark])
    return text


def print_graph(console: Console, listing: Listing) -> None:
    """The graph's text in the colours of Python, whose syntax it has."""
    code = "\n".join(line.text for line in listing.lines)
    console.print(Syntax(code, "python", background_color="default", word_wrap=True))


def _values(stage: Stage) -> str:
    before, after = stage.values_before, stage.values_after
    return str(after) if before == after else f"{before} → {after}"
