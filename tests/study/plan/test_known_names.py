"""Names are known without Keras, and a large plan is cheap."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from medattn.data import list_datasets
from medattn.explain import list_analyzers
from medattn.models import list_models
from medattn.study import Study
from medattn.study.plan.known_names import list_names, names_in_source

PLAN = r"""
import json, re, sys, time
from pathlib import Path
from medattn.cli import main
sys.argv = ["medattn", "study", "plan", *sys.argv[1:]]
main()
kilobytes = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]
heavy = {"keras", "tensorflow", "numpy", "sklearn", "pandas"} & set(sys.modules)
print(json.dumps([sorted(heavy), int(kilobytes) / 1024, time.process_time()]))
"""


def test_the_source_spells_out_every_name():
    assert names_in_source("model") == set(list_models())
    assert names_in_source("analyzer") == set(list_analyzers())
    assert names_in_source("data set") == {*list_datasets(), "shapes"}


def test_a_name_that_is_not_written_in_the_source_is_looked_up(monkeypatch):
    from medattn import models

    study = Study(models=("micro_resnet", "my_net"))
    assert study.unwritten_names() == [("model", "my_net")]
    with pytest.raises(ValueError, match="Unknown model 'my_net'"):
        study.check_names()
    monkeypatch.setitem(models.MODELS, "my_net", models.MODELS["micro_resnet"])
    assert "my_net" in list_names("model")
    assert study.check_names() is study


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_a_plan_of_10000_trials_needs_no_keras_and_below_200_mb(tmp_path):
    path = tmp_path / "many.toml"
    path.write_text(
        'models = ["micro_resnet", "se_micro_resnet"]\ndatasets = ["fundus"]\n'
        f"seeds = {list(range(1250))}\n"
    )
    line = [sys.executable, "-c", PLAN, str(path), "--folder", str(tmp_path)]
    printed = subprocess.run(line, check=True, capture_output=True, text=True).stdout
    heavy, megabytes, seconds = json.loads(printed.splitlines()[-1])
    assert "10000 trials: 2 networks" in printed
    assert heavy == [] and megabytes < 200
    assert seconds < 10  # of the processor; 1.5 to 2 on a busy machine
