"""The probabilities of all seeds for one image, shipped without their weights."""

import json
from dataclasses import asdict

import numpy as np

from medattn.study import Trial, promote_chances, read_chances


def test_finished_trials_are_shipped_and_read_by_kind_and_seed(tmp_path):
    study, results = tmp_path / "micro", tmp_path / "results"
    rng = np.random.default_rng(0)
    predicted = {}
    for seed, more in ((0, {}), (1, {}), (2, {"shortcut": 0.9}), (3, {})):
        trial = Trial("se_micro_resnet", regime=0.1, seed=seed, **more)
        folder = study / f"trial{seed}"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(asdict(trial)))
        predicted[seed] = rng.random((60, 2))
        predicted[seed][8, 1] = 0.9999999
        np.savez(folder / "predictions.npz", test_probabilities=predicted[seed])
        if seed != 3:  # one is still running
            (folder / "done.json").write_text("{}")
    results.mkdir()
    assert promote_chances(study, results) == 3
    which = dict(dataset="fundus", model="se_micro_resnet", results=results)
    found = read_chances(7, regime=0.1, **which)
    assert found == {seed: round(predicted[seed][7, 1], 4) for seed in (0, 1)}
    assert set(read_chances(8, regime=0.1, **which).values()) == {0.9999}
    assert read_chances(59, regime=0.1, **which) == {}  # beyond what is shipped
    assert read_chances(7, regime=1.0, **which) == {}
    taught = read_chances(7, regime=0.1, shortcut=0.9, **which)
    assert taught == {2: round(predicted[2][7, 1], 4)}
    assert read_chances(7, regime=0.1, initialisation="shapes", **which) == {}
    # "10pct" must not match "1pct", nor SE's network the one without a gate.
    assert read_chances(7, regime=0.01, **which) == {}
    assert read_chances(7, regime=0.1, **(which | {"model": "micro_resnet"})) == {}


def test_without_a_shipped_file_there_are_no_probabilities(tmp_path):
    which = dict(dataset="fundus", model="micro_resnet", regime=1.0)
    assert read_chances(0, results=tmp_path, **which) == {}
