"""Leases: a trial has one runner, and a dead runner loses it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from medattn.study.execute import lease as leases
from medattn.study.execute.lease import take_lease


def test_of_eight_runners_one_gets_the_lease(tmp_path):
    taken, barrier = [], threading.Barrier(8)

    def take():
        barrier.wait()
        taken.append(take_lease(tmp_path))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    won = [lease for lease in taken if lease]
    assert len(won) == 1
    won[0].release()
    after = take_lease(tmp_path)
    assert after is not None and take_lease(tmp_path) is None
    after.release()


def test_the_lease_of_a_dead_process_is_free_at_once(tmp_path):
    code = (
        "import os, signal\nfrom medattn.study.execute.lease import take_lease\n"
        f"assert take_lease({str(tmp_path)!r})\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    dead = subprocess.run([sys.executable, "-c", code])
    assert dead.returncode == -signal.SIGKILL
    lease = take_lease(tmp_path)
    assert lease is not None
    lease.release()


def test_the_lease_of_another_machine_expires_and_its_holder_is_told(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(leases, "HEARTBEAT", 1000)
    first = take_lease(tmp_path)
    elsewhere = json.loads(first.path.read_text()) | {"host": "elsewhere"}
    first.path.write_text(json.dumps(elsewhere))
    assert take_lease(tmp_path) is None
    old = time.time() - leases.EXPIRY - 5
    os.utime(first.path, (old, old))
    second = take_lease(tmp_path)
    assert second is not None
    with pytest.raises(leases.LeaseLost):
        first.check()
    second.check()
    first.release()
    second.check()  # releasing a lost lease changes nothing
    second.release()
