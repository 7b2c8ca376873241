"""The shipped networks are what their records say."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from medattn.data import load_dataset
from medattn.study import probabilities
from medattn.zoo import FOLDER, find_zoo_record, list_zoo_models, load_zoo_model

MODELS = ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet")
REGIMES = (0.01, 0.1, 0.5, 1.0)


@pytest.fixture(scope="module")
def test_set():
    return load_dataset("fundus", split="test").arrays()


def test_every_block_and_regime_is_shipped_and_nothing_more():
    found = {(r["trial"]["model"], r["trial"]["regime"]) for r in list_zoo_models()}
    assert found == {(m, r) for m in MODELS for r in REGIMES}
    files = {p.name for p in FOLDER.glob("fundus/*")}
    stems = {r["weights"].removesuffix(".safetensors") for r in list_zoo_models()}
    assert files == {f"{s}.{e}" for s in stems for e in ("json", "safetensors")}
    assert all(p.stat().st_size < 4_000_000 for p in FOLDER.rglob("*"))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("regime", REGIMES)
def test_the_recorded_auroc_is_measured_again(trained, test_set, name, regime):
    images, labels, _ = test_set
    scores = probabilities(trained(name, regime), images)[:, 1]
    measured = find_zoo_record(name, regime=regime)["measured"]
    assert roc_auc_score(labels, scores) == pytest.approx(
        measured["test"]["auroc"], abs=1e-3
    )


@pytest.mark.parametrize("name", MODELS)
def test_more_data_helps(name):
    auroc = [
        find_zoo_record(name, regime=r)["measured"]["test"]["auroc"] for r in REGIMES
    ]
    assert auroc[-1] >= 0.95
    assert auroc[0] <= auroc[-1] - 0.05


@pytest.mark.parametrize("name", MODELS)
def test_networks_see_the_lesions_and_not_the_eye(trained, drawings, name):
    """Taken away from the same eye, the lesions take the probability with them."""
    sick = drawings["label"] == 1
    model = trained(name)
    with_lesions = probabilities(model, drawings["image"][sick])[:, 1]
    without = probabilities(model, drawings["twin"][sick])[:, 1]
    assert np.mean(with_lesions > without) > 0.9
    assert np.median(with_lesions) > 0.9 and np.median(without) < 0.1


@pytest.mark.parametrize("name", MODELS)
def test_maps_of_the_best_networks_beat_a_random_map(name):
    test = find_zoo_record(name)["measured"]["test"]
    assert test["relevance_mass"] > 2 * test["relevance_mass_random"]


def test_records_count_the_images_of_their_regime():
    for record in list_zoo_models():
        trial, measured = record["trial"], record["measured"]
        train = load_dataset("fundus", regime=trial["regime"], seed=trial["seed"])
        assert measured["train_images"] == len(train)
        assert measured["epochs"] == pytest.approx(
            trial["steps"] * trial["batch_size"] / len(train)
        )


def test_what_is_not_shipped_is_answered_with_what_is():
    with pytest.raises(ValueError, match="'regime': .*0.01, 0.1, 0.5, 1.0"):
        load_zoo_model("micro_resnet", regime=0.2)


def test_a_changed_weights_file_is_refused(monkeypatch, tmp_path):
    record = find_zoo_record("micro_resnet")
    (tmp_path / "fundus").mkdir()
    for name in (record["weights"], record["weights"].replace(".safetensors", ".json")):
        content = (FOLDER / "fundus" / name).read_bytes()
        (tmp_path / "fundus" / name).write_bytes(content)
    monkeypatch.setattr("medattn.zoo.FOLDER", tmp_path)
    load_zoo_model("micro_resnet")
    path = tmp_path / "fundus" / record["weights"]
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ValueError, match="not the one that was shipped"):
        load_zoo_model("micro_resnet")
    path.unlink()
    with pytest.raises(ValueError, match="Received: no file"):
        load_zoo_model("micro_resnet")
