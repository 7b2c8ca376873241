"""The server keeps its memory: small sessions, and what was freed goes back."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from medattn_app.gradio_private import EmptyConfig

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


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is asked to give back"
)
def test_freed_memory_between_kept_pieces_goes_back():
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


def test_nothing_seems_to_have_all_and_keeps_none():
    config = EmptyConfig()
    config["a"] = 5
    assert "a" in config and config["a"] == {} and len(config) == 0


def test_a_session_describes_no_component_and_keeps_nothing_that_it_was_sent(app):
    held = app.app.state_holder
    session = held["a session"]
    for component in app.blocks:
        session._update_value_in_config(component, "a map, a picture")
    # Gradio's own session: 1.3 MB of descriptions, and each last value.
    assert len(session.config_values) == 0 and list(session.components) == []
    for key, component in session.blocks_config.blocks.items():
        assert component is app.default_config.blocks[key]
    assert held["a session"] is session
    del held.session_data["a session"]


def test_a_session_keeps_its_own_state_and_no_other_sees_it(app):
    from gradio.components import State

    state = next(key for key, part in app.blocks.items() if isinstance(part, State))
    held = app.app.state_holder
    held["ours"][state] = "ours alone"
    assert held["ours"][state] == "ours alone" != held["theirs"][state]
    for name in ("ours", "theirs"):
        del held.session_data[name]
