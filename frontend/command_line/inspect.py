"""`kerac inspect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kerac.command_line.console import examples, progress, say, size_text, terminal, write
from kerac.command_line.source import (
    batch_option,
    dims_option,
    load_graph,
    model_argument,
    read_dims,
    weights_option,
)
from kerac.ir import CompileError, Graph

if TYPE_CHECKING:
    from kerac.inspector.report import Report, Stage
    from kerac.passes.trace import Trace


EXAMPLES = (
    "kerac inspect model.keras",
    "kerac inspect model.keras --pass fold_batch_norm",
    "kerac inspect model.keras --print-changed | less -R",
    "kerac inspect model.keras --html report.html",
    "kerac inspect model.keras --dot | dot -Tsvg > graph.svg",
    "kerac inspect model.keras > model.kir",
)


@click.command(
    "inspect", short_help="Show the graph and what each pass changed.", epilog=examples(EXAMPLES)
)
@model_argument
@weights_option
@click.option("--pass", "name", metavar="NAME", help="Show what one pass changed.")
@click.option("--print-changed", is_flag=True, help="Show what each pass changed.")
@click.option("--json", "as_json", is_flag=True, help="Write the passes and the graph as JSON.")
@click.option("--kernels", is_flag=True, help="Show the kernels: loops, memory and their order.")
@click.option("--dot", is_flag=True, help="Write the graph (after --pass NAME) for Graphviz.")
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a page with pictures of the graph before and after each pass.",
)
@click.option("--check", is_flag=True, help="Check after each pass that the numbers are the same.")
@batch_option
@dims_option
def inspect_command(
    model: Path,
    weights: Path | None,
    name: str | None,
    print_changed: bool,
    as_json: bool,
    kernels: bool,
    dot: bool,
    html: Path | None,
    check: bool,
    batch: int | None,
    dims: tuple[str, ...],
) -> None:
    """Show what the compiler makes of MODEL: the graph, and what each pass changed.

    MODEL may also be IR text in a file that ends in .kir, such as this command writes.
    """
    _check_modes(
        ("--pass", name is not None and not dot),  # with --dot it says which graph
        ("--print-changed", print_changed),
        ("--json", as_json),
        ("--kernels", kernels),
        ("--dot", dot),
        ("--html", html is not None),
    )
    trace = _run_passes(load_graph(model, weights, numbers_matter=False), batch, dims, check)
    if kernels:
        _show_kernels(trace)
        return
    report = _report(trace, with_kernels=as_json or html is not None)
    chosen = _stages(report, name)
    if html is not None:
        _write_page(report, html)
    elif as_json:
        write(json.dumps(report.summary(), indent=2, ensure_ascii=False))
    elif dot:
        from kerac.inspector.dot import dot_text

        write(dot_text(chosen[-1].after if chosen else report.last))
    elif chosen or print_changed:
        changed = [stage for stage in report.stages if not stage.difference.is_empty]
        for stage in chosen or changed:
            _show_difference(stage)
    else:
        _show_all(report)


def _run_passes(graph: Graph, batch: int | None, dims: tuple[str, ...], check: bool) -> Trace:
    from kerac.compile import fix_dims
    from kerac.passes.pipeline import run_pipeline

    graph = fix_dims(graph, batch, read_dims(graph, dims))
    with progress("running the passes"):
        return run_pipeline(graph, check=check)


def _report(trace: Trace, with_kernels: bool) -> Report:
    from kerac.inspector.report import Report

    if not with_kernels:
        return Report(trace)
    from kerac.inspector.kernels import kernels_data, make_plan

    plan = make_plan(trace.graph)
    if isinstance(plan, CompileError):
        # passes can be read even where this machine has no kernels
        say(f"the kernels are left out: {plan.fact}")
        return Report(trace)
    return Report(trace, kernels_data(plan))


def _show_kernels(trace: Trace) -> None:
    from kerac.inspector.kernels import kernels_text, make_plan

    plan = make_plan(trace.graph)
    if isinstance(plan, CompileError):
        raise plan
    write(kernels_text(plan))


def _check_modes(*modes: tuple[str, bool]) -> None:
    given = [option for option, is_given in modes if is_given]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} do not go together: give one of them")


def _stages(report: Report, name: str | None) -> list[Stage]:
    if name is None:
        return []
    stages = report.named(name)
    if not stages:
        names = "\n  ".join(stage.name for stage in report.stages)
        raise click.BadParameter(
            f"there is no pass {name!r}; the passes are\n  {names}", param_hint="--pass"
        )
    return stages


def _show_difference(stage: Stage) -> None:
    from kerac.inspector.terminal import difference_lines, difference_text

    console = terminal()
    if stage.difference.is_empty:
        say(f"{stage.name} changes nothing")
    elif console is not None:
        console.print(difference_text(stage), soft_wrap=True)
    else:
        write("\n".join(f"{mark} {line}".rstrip() for mark, line in difference_lines(stage)))


def _show_all(report: Report) -> None:
    from kerac.inspector.terminal import pipeline_lines, pipeline_table, print_graph

    console = terminal()
    if console is not None:
        print_graph(console, report.last)
        console.print()
        console.print(pipeline_table(report))
        return
    # as comments, so that what is written can be read back as a graph
    write("\n".join(f"# {line}" for line in pipeline_lines(report)))
    write(f"\n{report.last.graph}")


def _write_page(report: Report, path: Path) -> None:
    from kerac.inspector.page import page_text
    from kerac.saving.atomic import atomic_output

    with progress("drawing"):
        content = page_text(report).encode()
    with atomic_output(path) as file:
        file.write(content)
    say(f"{path}  {size_text(path)}; open it in a browser")
