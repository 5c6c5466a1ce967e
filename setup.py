"""Compile the hot modules (those with a .pxd beside them) when a C compiler is there.

``EASTWALL_COMPILE``: ``auto`` (default) compiles when it can, ``no`` never, ``yes`` fails if it cannot.
"""

import os
import shutil
from pathlib import Path

from setuptools import setup


def hot_modules() -> list[str]:
    """Sources that have static types declared beside them."""
    return sorted(str(p.with_suffix(".py")) for p in Path("appliance").rglob("*.pxd"))


def extensions() -> list:
    """Cython extensions, or none where they cannot or shall not be built."""
    wish = os.environ.get("EASTWALL_COMPILE", "auto")
    if wish == "no" or (wish == "auto" and not (shutil.which("cc") or shutil.which("gcc"))):
        return []
    from Cython.Build import cythonize  # noqa: PLC0415 - only where it compiles

    directives = {
        "language_level": 3,
        "boundscheck": True,
        "wraparound": True,
        "annotation_typing": False,
        "binding": True,
    }
    return cythonize(hot_modules(), compiler_directives=directives, nthreads=2, build_dir="build/cython")


setup(ext_modules=extensions())
