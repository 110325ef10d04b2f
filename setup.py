"""Builds the native engine, a C extension that is optional; pyproject.toml describes all the rest.

With SCANWISE_SANITIZE=1 in the environment it is built for the address and undefined-behaviour sanitizers.
"""

import os
import platform
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError

CSRC = Path("src", "scanwise", "kernels", "csrc")
VARIANT = str(CSRC / "variant.c")

# Instruction sets, best first. Each has a build of its own, which is chosen at run time.
X86 = {"avx512": ["-mavx512f", "-mavx512vl", "-mavx512dq", "-mfma"], "avx2": ["-mavx2", "-mfma"], "baseline": []}
ARM = {"neon": []}
SETS = {"x86_64": X86, "AMD64": X86, "aarch64": ARM, "arm64": ARM}.get(platform.machine(), {"baseline": []})

# Bits must not depend on how a loop was compiled: nothing is fused or reordered by the compiler's choice, whatever the
# flags of the interpreter or the user say.
FLAGS = ["-std=c11", "-ffp-contract=off", "-fno-fast-math", "-fno-lto", "-fPIC", "-fvisibility=hidden", "-pthread"]
FLAGS += ["-Wall", "-Wextra"]

# Python's own flags define overflow and leave assertions out, where sanitizers are to see them. Poison is NaN in all
# scratch memory, so that a value that nobody computed shows up.
SANITIZE = os.environ.get("SCANWISE_SANITIZE") == "1"
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-wrapv", "-UNDEBUG"]
LEVEL = ["-O1", "-g", "-DSCANWISE_POISON", *SANITIZERS] if SANITIZE else ["-O3"]

# The stable interface of Python 3.11: one build serves all later versions, but for those without a global lock.
LIMITED = not sysconfig.get_config_var("Py_GIL_DISABLED")


class BuildNative(build_ext):
    """Compiles variant.c once per instruction set and type of number, and the other files once."""

    def build_extension(self, ext: Extension) -> None:
        """Build the engine; a set whose flags the compiler does not know is left out."""
        target = self.get_ext_fullpath(ext.name)
        Path(target).unlink(missing_ok=True)  # of an earlier build, not to be taken for this one if it fails
        Path(self.build_temp).mkdir(parents=True, exist_ok=True)
        sets = [name for name, flags in SETS.items() if self._knows(flags)]
        self._write("variants.h", "#define SETS(X) " + " ".join(f"X({name})" for name in sets))
        jobs: list[tuple[str, str, list[str]]] = [(file, "", []) for file in ext.sources if file != VARIANT]
        for name in sets:
            for real, is_double in ("float", 0), ("double", 1):
                numbers = [f"-DREAL={real}", f"-DREAL_IS_DOUBLE={is_double}", f"-DVARIANT={name}_{real}"]
                jobs.append((VARIANT, f"{name}_{real}", numbers + SETS[name]))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = [pool.submit(self._compile, ext, *job) for job in jobs]
        self.compiler.link_shared_object(
            [path for compiled in objects for path in compiled.result()],
            target,
            extra_postargs=["-pthread", "-lm", "-fno-fast-math", *LEVEL],
        )

    def copy_extensions_to_source(self) -> None:
        """Put the engine beside the sources, for an editable install; or nothing, not an earlier one, if it failed."""
        for ext in self.extensions:
            CSRC.with_name(Path(self.get_ext_filename(ext.name)).name).unlink(missing_ok=True)
        super().copy_extensions_to_source()

    def _compile(self, ext: Extension, source: str, folder: str, flags: list[str]) -> list[str]:
        return self.compiler.compile(
            [source],
            output_dir=str(Path(self.build_temp, folder)),
            include_dirs=[self.build_temp],
            macros=ext.define_macros,
            extra_postargs=FLAGS + LEVEL + flags,
        )

    def _knows(self, flags: list[str]) -> bool:
        """Whether the compiler takes these flags; it is not asked about none at all."""
        probe = self._write("probe.c", "int probe;")
        try:
            return not flags or bool(self.compiler.compile([probe], output_dir=self.build_temp, extra_postargs=flags))
        except CompileError:
            return False

    def _write(self, name: str, line: str) -> str:
        file = Path(self.build_temp, name)
        file.write_text(f"{line}\n", encoding="utf-8")
        return str(file)


if __name__ == "__main__":
    native = Extension(
        "scanwise.kernels._native",
        sources=[str(source) for source in sorted(CSRC.glob("*.c"))],
        depends=[str(header) for header in sorted(CSRC.glob("*.h"))],
        define_macros=[("Py_LIMITED_API", "0x030B0000")] if LIMITED else [],
        py_limited_api=LIMITED,
        optional=not SANITIZE,  # who asks for sanitizers wants to see what is wrong
    )
    setup(
        ext_modules=[native],
        cmdclass={"build_ext": BuildNative},
        options={"bdist_wheel": {"py_limited_api": "cp311"}} if LIMITED else {},
    )
