"""The shipped networks agree with their records."""

import hashlib
import itertools
import re

import numpy as np
import pytest
from safetensors import safe_open
from sklearn.metrics import roc_auc_score

from medattn.data import load_dataset
from medattn.study import probabilities
from medattn.study.plan.presets import MICRO
from medattn.study.plan.study import REGIMES, SYNTHETIC
from medattn.zoo import FOLDER, find_zoo_record, list_zoo_models, load_zoo_model

MODELS = ("micro_resnet", "se_micro_resnet", "cbam_micro_resnet")
CELLS = tuple(itertools.product(SYNTHETIC, MICRO, REGIMES))
# Every network once, every data set and regime at least once.
SPREAD = [(SYNTHETIC[i % 3], name, REGIMES[i % 4]) for i, name in enumerate(MICRO)]
MAXIMUM_BYTES = 30_000_000
VARIED = ("pretraining", "shortcut")  # studies whose networks are not plain


@pytest.fixture(scope="module")
def test_sets():
    """A function from a data set's name to its test images, made once."""
    made = {}

    def find(dataset):
        if dataset not in made:
            made[dataset] = load_dataset(dataset, split="test").arrays()
        return made[dataset]

    return find


def test_every_network_and_regime_is_shipped_once_and_nothing_else():
    records = list_zoo_models()
    found = [
        (r["trial"]["dataset"], r["trial"]["model"], r["trial"]["regime"])
        for r in records
    ]
    assert sorted(found) == sorted(CELLS)
    for dataset in SYNTHETIC:
        files = {p.name for p in (FOLDER / dataset).iterdir()}
        stems = {
            r["weights"].removesuffix(".safetensors")
            for r in records
            if r["trial"]["dataset"] == dataset
        }
        both = {f"{s}.{e}" for s in stems for e in ("json", "safetensors")}
        folders = {p.name for p in (FOLDER / dataset).iterdir() if p.is_dir()}
        assert folders <= set(VARIED) and files - folders == both | {"README.md"}


def test_the_weights_are_float16_as_recorded_and_small():
    paths = sorted(FOLDER.rglob("*.safetensors"))
    assert sum(p.stat().st_size for p in paths) < MAXIMUM_BYTES
    assert all(p.stat().st_size < 4_000_000 for p in FOLDER.rglob("*") if p.is_file())
    known = {
        FOLDER / r["trial"]["dataset"] / r["weights"]: r
        for r in list_zoo_models(plain=False)
    }
    assert sorted(known) == paths
    for path in paths:
        record = known[path]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest == record["weights_sha256"]
        with safe_open(path, framework="numpy") as weights:
            kinds = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
        assert kinds == {"F16"}


def test_all_networks_have_one_code_and_one_protocol():
    records = list_zoo_models()
    assert len({r["code"] for r in records}) == 1
    for key in ("steps", "batch_size", "size", "seed", "selection", "initialisation"):
        assert len({r["trial"][key] for r in records}) == 1, key


@pytest.mark.parametrize("dataset", SYNTHETIC)
def test_the_card_of_each_data_set_agrees_with_the_records(dataset):
    card = (FOLDER / dataset / "README.md").read_text()
    assert card.startswith("---\n") and "license: apache-2.0" in card
    assert "Not for diagnosis." in card
    lines = {
        line.split("`")[1]: line for line in card.splitlines() if line[:3] == "| `"
    }
    records = list_zoo_models(dataset)
    assert len(lines) == len(records)
    for record in records:
        test = record["measured"]["test"]
        line = lines[record["weights"].removesuffix(".safetensors")]
        assert f"| {test['auroc']:.3f} [{test['auroc_low']:.3f}, " in line
        assert f"| {test['relevance_mass']:.1%} |" in line
        assert re.search(rf"\| {record['measured']['train_images']:,} \|", line)


VARIED_RECORDS = [r for r in list_zoo_models(plain=False) if r not in list_zoo_models()]


def of_kind(record):
    """Returns the arguments that find a record."""
    trial = record["trial"]
    keys = ("dataset", "regime", "seed", "initialisation", "shortcut")
    return trial["model"], {key: trial[key] for key in keys}


@pytest.mark.parametrize("record", VARIED_RECORDS, ids=lambda r: r["weights"])
def test_a_varied_network_is_found_by_its_start_and_shortcut(record):
    name, kind = of_kind(record)
    assert find_zoo_record(name, **kind) == record
    assert record["study"] in VARIED and record["weights"].startswith(record["study"])
    plain = find_zoo_record(name, dataset=kind["dataset"], regime=kind["regime"])
    assert plain["weights_sha256"] != record["weights_sha256"]
    same = ("steps", "batch_size", "learning_rate", "size", "selection", "rounds")
    assert all(plain["trial"][key] == record["trial"][key] for key in same)
    digits = plain["measured"]["train_ids_sha256"]
    assert record["measured"]["train_ids_sha256"] == digits


@pytest.mark.slow
@pytest.mark.parametrize("record", VARIED_RECORDS, ids=lambda r: r["weights"])
def test_the_auroc_of_a_varied_network_is_measured_again(record):
    name, kind = of_kind(record)
    model, measured = load_zoo_model(name, **kind), record["measured"]
    rho = kind["shortcut"]
    tests = [(None if rho is None else 0.0, measured["test"]["auroc"])]
    if rho:
        tests.append((rho, measured["with_shortcut"]["auroc"]))
    for shortcut, expected in tests:
        images, labels, _ = load_dataset(
            kind["dataset"], split="test", shortcut=shortcut
        ).arrays()
        found = roc_auc_score(labels, probabilities(model, images)[:, 1])
        assert found == pytest.approx(expected, abs=1e-3)


def check_auroc(test_sets, dataset, name, regime):
    images, labels, _ = test_sets(dataset)
    scores = probabilities(load_zoo_model(name, dataset=dataset, regime=regime), images)
    record = find_zoo_record(name, dataset=dataset, regime=regime)
    expected = record["measured"]["test"]["auroc"]
    assert roc_auc_score(labels, scores[:, 1]) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(("dataset", "name", "regime"), SPREAD)
def test_the_recorded_auroc_is_measured_again(test_sets, dataset, name, regime):
    check_auroc(test_sets, dataset, name, regime)


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "name"), itertools.product(SYNTHETIC, MICRO))
def test_all_recorded_aurocs_are_measured_again(test_sets, dataset, name):
    for regime in REGIMES:
        check_auroc(test_sets, dataset, name, regime)


@pytest.mark.parametrize("name", [name for name in MICRO if "deit" not in name])
@pytest.mark.parametrize("dataset", SYNTHETIC)
def test_more_data_helps_a_convolution(dataset, name):
    auroc = [
        find_zoo_record(name, dataset=dataset, regime=r)["measured"]["test"]["auroc"]
        for r in REGIMES
    ]
    assert auroc[-1] >= 0.95 and auroc[0] < auroc[-1]


@pytest.mark.parametrize("name", MODELS)
def test_networks_respond_to_the_lesions_and_not_to_the_eye(trained, drawings, name):
    """The same eye without its lesions has a lower probability."""
    positive = drawings["label"] == 1
    model = trained(name)
    with_lesions = probabilities(model, drawings["image"][positive])[:, 1]
    without = probabilities(model, drawings["twin"][positive])[:, 1]
    assert np.mean(with_lesions > without) > 0.9
    assert np.median(with_lesions) > 0.9 and np.median(without) < 0.1


@pytest.mark.parametrize("name", MODELS)
def test_maps_of_the_best_networks_beat_a_random_map(name):
    test = find_zoo_record(name)["measured"]["test"]
    assert test["relevance_mass"] > 2 * test["relevance_mass_random"]


@pytest.mark.parametrize("dataset", SYNTHETIC)
def test_records_count_the_images_of_their_regime(dataset):
    for record in list_zoo_models(dataset):
        trial, measured = record["trial"], record["measured"]
        train = load_dataset(dataset, regime=trial["regime"], seed=trial["seed"])
        assert measured["train_images"] == len(train)
        assert measured["epochs"] == pytest.approx(
            trial["steps"] * trial["batch_size"] / len(train)
        )


def test_a_network_that_is_not_shipped_is_refused_with_the_list():
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
