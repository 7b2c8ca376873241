"""Freed memory is given back to the machine."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

APPS = Path(__file__).parents[3] / "apps"
FRAGMENTED = """
import re
from medattn_app.service.memory import trim_memory
def resident():
    status = open("/proc/self/status").read()
    return int(re.search(r"RssAnon:\\s+(\\d+)", status).group(1)) / 1024
pieces = [bytearray(1000 + 37 * (n % 1500)) for n in range(6000)]  # 165 MB
for piece in pieces:
    piece[::4096] = b"x" * len(piece[::4096])
kept, full = pieces[::40] + pieces[-1:], resident()
del pieces, piece
freed = resident()
print(full, freed, trim_memory(), resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is called")
def test_freed_memory_between_kept_pieces_is_given_back():
    run = subprocess.run(
        [sys.executable, "-c", FRAGMENTED],
        env={"PYTHONPATH": str(APPS), "MALLOC_MMAP_THRESHOLD_": "1000000"},
        capture_output=True,
        text=True,
        check=True,
    )
    full, freed, gave, after = run.stdout.split()
    assert gave == "True"
    assert float(full) > 150  # it was there, and mostly stayed after it was freed
    assert float(freed) > 0.8 * float(full) and float(after) < 0.4 * float(full)
