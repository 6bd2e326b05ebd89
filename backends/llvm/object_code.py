"""From the text of a module to object code: position-independent, for memory and for files."""

from __future__ import annotations

from typing import Any

from kerac.backends.llvm.code_cache import CodeCache, key_of
from kerac.backends.llvm.target import Target
from kerac.ir.errors import InternalError


def object_code(text: str, target: Target) -> bytes:
    """Object code of a module, made in this process unless the cache has it."""
    cache, key = CodeCache.of_user(), key_of(text, target)
    code = cache.get(key)
    if code is None:
        code = emit_object(text, target)
        cache.put(key, code)
    return code


def emit_object(text: str, target: Target) -> bytes:
    """Object code of a module, made by LLVM in this process."""
    machine = target_machine(target)
    code: bytes = machine.emit_object(optimized(text, machine))
    return code


def target_machine(target: Target) -> Any:
    """LLVM's target machine."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    binding.initialize_native_asmparser()
    return binding.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel="default"
    )


def optimized(text: str, machine: Any) -> Any:
    """Parse, verify and optimize a module."""
    from llvmlite import binding

    try:
        # with a context of its own, whose memory is free again when the module is
        module = binding.parse_assembly(text, binding.create_context())
        module.verify()
    except RuntimeError as error:
        raise InternalError(f"LLVM refuses the code that kerac emitted: {error}") from None
    # kernels arrive in static single assignment, with loops whose invariants stand before them:
    # no pass but this one makes them faster
    options = binding.create_pipeline_tuning_options(speed_level=2)
    builder = binding.create_pass_builder(machine, options)
    passes = binding.create_new_function_pass_manager()
    passes.add_instruction_combine_pass()
    for function in module.functions:
        if not function.is_declaration:
            passes.run(function, builder)
    return module
