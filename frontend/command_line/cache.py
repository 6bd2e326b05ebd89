"""`kerac cache`."""

from __future__ import annotations

import click

from kerac.command_line.console import examples, write
from kerac.timing.table import bytes_text

EXAMPLES = (
    "kerac cache",
    "kerac cache --clear",
    "KERAC_CACHE=off kerac compile model.keras -o model.so",
)


@click.command(
    "cache", short_help="Show or clear the code that is kept.", epilog=examples(EXAMPLES)
)
@click.option("--clear", is_flag=True, help="Remove all of it.")
def cache_command(clear: bool) -> None:
    """Show where the code of earlier compilations is kept, so that it is not made again.

    The variable KERAC_CACHE names another folder, or is `off`.
    """
    from kerac.backends.llvm.code_cache import CodeCache

    cache = CodeCache.of_user()
    if cache.folder is None:
        write("off")
        return
    if cache.folder.exists() and not cache.is_trusted:
        write(f"{cache.folder}  not used: it is not a folder that only you can open")
        return
    if clear:
        write(f"{cache.folder}  {cache.clear()} removed")
        return
    count = sum(1 for _ in cache.entries())
    write(f"{cache.folder}  {count} kept, {bytes_text(cache.size)} of {bytes_text(cache.largest)}")
