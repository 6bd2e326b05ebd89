"""Generate object code in a process of its own: LLVM ends the process where it cannot go on.

`python -m kerac.backends.llvm.worker MODULE.ll TARGET.json OBJECT.o`
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from kerac.backends.llvm.target import Target
from kerac.ir.errors import InternalError


def emit_in_child(text: str, target: Target, folder: Path) -> bytes:
    """Object code of a module, made by a child process that keeps its files in `folder`."""
    files = [folder / name for name in ("module.ll", "target.json", "module.o")]
    module, description, output = files
    module.write_text(text)
    description.write_text(json.dumps(asdict(target)))
    command = [sys.executable, "-m", "kerac.backends.llvm.worker", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not output.exists():
        said = done.stderr.strip().splitlines()[-5:]
        raise InternalError(
            "\n".join([f"LLVM made no code for {target.name} (status {done.returncode})", *said])
        )
    return output.read_bytes()


def main() -> None:
    """What the child process does."""
    from kerac.backends.llvm.jit import optimized, target_machine

    module, description, output = map(Path, sys.argv[1:])
    machine = target_machine(
        Target(**json.loads(description.read_text())), relocation="pic", code_model="default"
    )
    output.write_bytes(machine.emit_object(optimized(module.read_text(), machine)))


if __name__ == "__main__":
    main()
