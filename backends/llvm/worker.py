"""Generate object code in processes of its own: LLVM ends the process where it cannot go on.

`python -m kerac.backends.llvm.worker STEM ...` makes STEM.o of STEM.ll and STEM.json.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from kerac.backends.llvm.code_cache import CodeCache, key_of
from kerac.backends.llvm.object_code import emit_object
from kerac.backends.llvm.target import Target
from kerac.ir.errors import InternalError
from kerac.runtime.executable import available_threads

SMALL = 400_000  # characters of code that are not worth a second process


def emit_in_children(texts: Mapping[Target, str], folder: Path, name: str) -> list[Path]:
    """Objects of modules, made by child processes unless the cache has them; files in `folder`."""
    stems = {target: folder / f"{name}.{target.name}" for target in texts}
    cache = CodeCache.of_user()
    keys = {target: key_of(text, target) for target, text in texts.items()}
    missing = []
    for target, stem in stems.items():
        code = cache.get(keys[target])
        if code is None:
            missing.append(target)
        else:
            Path(f"{stem}.o").write_bytes(code)
    jobs = [[target] for target in missing]
    if sum(len(texts[target]) for target in missing) < SMALL:
        jobs = [missing] if missing else []
    for target in missing:
        Path(f"{stems[target]}.ll").write_text(texts[target])
        Path(f"{stems[target]}.json").write_text(json.dumps(asdict(target)))
    with ThreadPoolExecutor(available_threads()) as pool:
        list(pool.map(lambda job: _emit_in_child({target: stems[target] for target in job}), jobs))
    for target in missing:
        cache.put(keys[target], Path(f"{stems[target]}.o").read_bytes())
    return [Path(f"{stem}.o") for stem in stems.values()]


def _emit_in_child(stems: Mapping[Target, Path]) -> None:
    command = [sys.executable, "-m", "kerac.backends.llvm.worker", *map(str, stems.values())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    missing = [target.name for target, stem in stems.items() if not Path(f"{stem}.o").exists()]
    if done.returncode or missing:
        said = done.stderr.strip().splitlines()[-5:]
        raise InternalError(
            "\n".join(
                [f"LLVM made no code for {', '.join(missing)} (status {done.returncode})", *said]
            )
        )


def main() -> None:
    """What a child process does."""
    for stem in sys.argv[1:]:
        target = Target(**json.loads(Path(f"{stem}.json").read_text()))
        Path(f"{stem}.o").write_bytes(emit_object(Path(f"{stem}.ll").read_text(), target))


if __name__ == "__main__":
    main()
