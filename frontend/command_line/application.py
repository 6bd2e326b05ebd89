"""The group of all commands: how they fail, and with which exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any

import click

from kerac.command_line.bench import bench_command
from kerac.command_line.cache import cache_command
from kerac.command_line.compile import compile_command
from kerac.command_line.export import export_command
from kerac.command_line.info import info_command
from kerac.command_line.inspect import inspect_command
from kerac.command_line.profile import profile_command
from kerac.command_line.run import run_command
from kerac.command_line.verify import verify_command

USAGE = 2
BAD_INPUT = 3
ENVIRONMENT = 4
INTERNAL = 70
INTERRUPTED = 130
BROKEN_PIPE = 141

EPILOG = """\b
Examples:
  kerac compile model.keras -o model.so
  kerac export model.keras -o model.onnx
  kerac inspect model.keras --html report.html
  kerac verify model.keras

\b
Exit codes:
  0   done
  1   verify found a difference
  2   wrong usage
  3   bad input: a file, a model or arrays that do not fit or are not supported
  4   the machine: no linker, no permission, no space, no memory
  70  a bug in kerac
"""


class Application(click.Group):
    """Turns every error into one message on stderr and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; `--debug` lets errors show where they arose."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except KeyboardInterrupt:
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            # nobody reads any more; what Python flushes at its end goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(BROKEN_PIPE)
        except Exception as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            text, code = explain(error)
            click.echo(text, err=True)
            ctx.exit(code)


def explain(error: Exception) -> tuple[str, int]:
    """The message for `error` and its exit code."""
    from kerac.ir import CompileError, FormatError, NumericsError, ShapeError, UnsupportedError
    from kerac.runtime import ExecutionError

    kind = type(error).__name__
    if isinstance(error, FormatError | NumericsError | ShapeError | UnsupportedError):
        return f"{kind}: {error}", BAD_INPUT
    if isinstance(error, ExecutionError):
        return f"{kind}: {error}", BAD_INPUT
    if isinstance(error, CompileError):  # the other kinds are about the machine
        return f"{kind}: {error}", ENVIRONMENT
    if isinstance(error, MemoryError):
        return "MemoryError: there is not enough memory", ENVIRONMENT
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{kind}: {place}{error.strerror or error}", ENVIRONMENT
    remedy = "This is a bug in kerac, not in your model. `kerac --debug ...` shows where."
    return f"InternalError: {kind}: {error}\n  {remedy}", INTERNAL


@click.group(
    cls=Application,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show where in kerac an error arose.")
@click.version_option(package_name="kerac", message="%(prog)s %(version)s")
def application(debug: bool) -> None:
    """Compile Keras models to native libraries and ONNX, and see every step."""


for command in (
    compile_command,
    export_command,
    inspect_command,
    run_command,
    verify_command,
    info_command,
    bench_command,
    profile_command,
    cache_command,
):
    application.add_command(command)
