"""Is this machine ready for the course? One table, before the first lesson."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from course_lib.errors import ModelError
from course_lib.packaged import verify_packages
from course_lib.settings import cache_dir, current

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_machine"]

MIN_MEMORY_GB, MIN_DISK_GB = 4, 2


def check_machine() -> pd.DataFrame:
    """Check Python, cores, memory, disk, device and the two model packages.

    Returns
    -------
    A table with what was found, whether it will do, and what to do if it will not. Sizes in GB (10^9 bytes).
    """
    import pandas as pd
    import psutil

    settings = current()
    memory = psutil.virtual_memory().total / 1e9
    disk = shutil.disk_usage(cache_dir()).free / 1e9
    try:
        verify_packages()
        models, advice = "both there, hashes right", ""
    except ModelError as error:
        models, advice = "not as they should be", str(error)
    rows = [
        ("Python", ".".join(map(str, sys.version_info[:3])), sys.version_info >= (3, 11), "use Python 3.11 to 3.13"),
        ("processor cores", str(os.cpu_count()), True, ""),
        ("memory", f"{memory:.0f} GB", memory >= MIN_MEMORY_GB, "close other programs"),
        ("free disk", f"{disk:.0f} GB", disk >= MIN_DISK_GB, "free some disk, or set COURSE_CACHE"),
        ("computes on", f"{settings.device}, in {settings.dtype}", True, ""),
        ("model packages", models, not advice, advice),
    ]
    table = [(what, found, "✓" if good else f"✗ {todo}") for what, found, good, todo in rows]
    return pd.DataFrame(table, columns=["what", "found", "will do"]).set_index("what")
