"""The chances of all seeds for one image, shipped without their weights."""

import json
from dataclasses import asdict

import numpy as np

from medattn.study import Trial, promote_chances, read_chances


def test_finished_trials_are_shipped_and_read_by_kind_and_seed(tmp_path):
    study, results = tmp_path / "micro", tmp_path / "results"
    rng = np.random.default_rng(0)
    said = {}
    for seed, more in ((0, {}), (1, {}), (2, {"shortcut": 0.9}), (3, {})):
        trial = Trial("se_micro_resnet", regime=0.1, seed=seed, **more)
        place = study / f"trial{seed}"
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps(asdict(trial)))
        said[seed] = rng.random((60, 2))
        said[seed][8, 1] = 0.9999999
        np.savez(place / "predictions.npz", test_probabilities=said[seed])
        if seed != 3:  # one is still running
            (place / "done.json").write_text("{}")
    results.mkdir()
    assert promote_chances(study, results) == 3
    of = dict(dataset="fundus", model="se_micro_resnet", results=results)
    found = read_chances(7, regime=0.1, **of)
    assert found == {seed: round(said[seed][7, 1], 4) for seed in (0, 1)}
    assert set(read_chances(8, regime=0.1, **of).values()) == {0.9999}
    assert read_chances(59, regime=0.1, **of) == {}  # beyond what is shipped
    assert read_chances(7, regime=1.0, **of) == {}
    taught = read_chances(7, regime=0.1, shortcut=0.9, **of)
    assert taught == {2: round(said[2][7, 1], 4)}
    assert read_chances(7, regime=0.1, initialisation="shapes", **of) == {}
    # "10pct" must not be taken for "1pct", nor SE's network for the plain one.
    assert read_chances(7, regime=0.01, **of) == {}
    assert read_chances(7, regime=0.1, **(of | {"model": "micro_resnet"})) == {}


def test_nothing_shipped_is_no_chances(tmp_path):
    of = dict(dataset="fundus", model="micro_resnet", regime=1.0)
    assert read_chances(0, results=tmp_path, **of) == {}
