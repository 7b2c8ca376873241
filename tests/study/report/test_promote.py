"""Promotion: the shipped files hold what was measured, and nothing outdated."""

import shutil
from dataclasses import asdict

import numpy as np
import pytest
from safetensors import safe_open

from medattn import zoo
from medattn.models import create_model, save_weights
from medattn.study import Trial, promote_trials, read_results, trial_id
from medattn.study.analyse.calibration_table import read_bins
from medattn.study.analyse.scores import score_predictions
from medattn.study.files import file_sha256, write_arrays, write_json

LABELS = np.arange(200) % 2


def finish(folder, trial, *, code="c0de", shift=1.0):
    """Makes the folder of a finished trial, with untrained weights."""
    trial_folder = folder / trial_id(trial)
    trial_folder.mkdir(parents=True)
    rng = np.random.default_rng(trial.seed)
    score = 1 / (1 + np.exp(-shift * (2 * LABELS - 1) - rng.normal(size=200)))
    both = np.stack([1 - score, score], axis=1)
    save_weights(
        create_model(trial.model, input_shape=(trial.size, trial.size, 3)),
        trial_folder / "weights.safetensors",
    )
    write_arrays(
        trial_folder / "predictions.npz", test_probabilities=both, test_labels=LABELS
    )
    write_json(
        trial_folder / "config.json", asdict(trial) | {"code": code, "threads": 1}
    )
    write_json(trial_folder / "ids.json", {"train": {"sha256": "5ha"}})
    environment = {"versions": {"keras": "3"}, "seconds": 9.0}
    write_json(trial_folder / "environment.json", environment)
    write_arrays(
        trial_folder / "maps-lrp.epsilon.npz",
        reason=np.array(""),
        relevance_mass=np.array([0.1, np.nan, 0.3]),
        random_relevance_mass=np.array([0.02, 0.03, 0.04]),
    )
    done = {
        "state": "done",
        "classes": ["healthy", "diseased"],
        "epochs": 2.4,
        "images": {"train": 400, "validation": 100, "test": 200},
        "positives": 190,
        "test": score_predictions(LABELS, both, draws=20),
        "validation": {"auroc": 0.7},
        "with_shortcut": None,
        "sha256": {
            "weights.safetensors": file_sha256(trial_folder / "weights.safetensors")
        },
    }
    write_json(trial_folder / "done.json", done)
    return done


@pytest.fixture(scope="module")
def promoted(tmp_path_factory):
    """A study of two networks and two seeds, and one trial that failed."""
    folder = tmp_path_factory.mktemp("promoted")
    done = {}
    for model in ("micro_resnet", "se_micro_resnet"):
        for seed in (0, 1):
            trial = Trial(model, regime=0.1, seed=seed, size=32)
            done[model, seed] = finish(folder / "micro", trial)
    failed_trial = Trial("micro_resnet", regime=0.1, seed=2, size=32)
    trial_folder = folder / "micro" / trial_id(failed_trial)
    trial_folder.mkdir()
    write_json(
        trial_folder / "config.json",
        asdict(failed_trial) | {"code": "c0de", "threads": 1},
    )
    failed = {"state": "failed", "kind": "diverged", "reason": "The training diverged."}
    write_json(trial_folder / "failed.json", failed)
    outdated = folder / "zoo" / "fundus" / "micro_resnet-1pct-seed0.json"
    outdated.parent.mkdir(parents=True)
    outdated.write_text("{}")
    counts = promote_trials(
        folder / "micro", zoo=folder / "zoo", results=folder / "results"
    )
    return folder, done, counts


def test_all_trials_are_shipped_the_failed_one_too(promoted):
    folder, done, counts = promoted
    rows = read_results(folder / "results")
    assert counts[:2] == (5, 2) and len(rows) == 5
    assert [row["reason"] for row in rows if row["state"] == "failed"] == [
        "The training diverged."
    ]
    for row in rows:
        if row["state"] == "done":
            expected = done[row["model"], row["seed"]]["test"]["auroc"]
            assert row["auroc"] == pytest.approx(expected)
            assert row["lrp.epsilon:relevance_mass"] == pytest.approx(0.2)
    bins = read_bins(folder / "results" / "calibration" / "micro.csv")
    assert sum(line["images"] for line in bins) == 4 * 200


def test_seed_0_is_shipped_as_float16_and_loads_from_the_zoo(promoted, monkeypatch):
    folder, _, (_, _, size) = promoted
    shipped = folder / "zoo" / "fundus"
    assert sorted(p.name for p in shipped.iterdir()) == [
        "README.md",
        "micro_resnet-10pct-seed0.json",
        "micro_resnet-10pct-seed0.safetensors",
        "se_micro_resnet-10pct-seed0.json",
        "se_micro_resnet-10pct-seed0.safetensors",
    ]
    files = list(shipped.glob("*.safetensors"))
    assert size == sum(p.stat().st_size for p in files)
    with safe_open(files[0], framework="numpy") as weights:
        kinds = {weights.get_tensor(name).dtype for name in weights.keys()}  # noqa: SIM118
    assert kinds == {np.dtype(np.float16)}
    monkeypatch.setattr(zoo, "FOLDER", folder / "zoo")
    model = zoo.load_zoo_model("se_micro_resnet", regime=0.1)
    assert model.input_shape == (None, 32, 32, 3)
    record = zoo.find_zoo_record("se_micro_resnet", regime=0.1)
    assert record["study"] == "micro" and record["code"] == "c0de"
    assert record["measured"]["test"]["relevance_mass_random"] == pytest.approx(0.03)


def test_the_card_is_a_hugging_face_card_with_the_measured_values(promoted):
    from huggingface_hub import ModelCard

    folder, done, _ = promoted
    card = ModelCard((folder / "zoo" / "fundus" / "README.md").read_text())
    assert card.data.license == "apache-2.0" and card.data.library_name == "keras"
    values = {r.metric_name: r.metric_value for r in card.data.eval_results}
    for model in ("micro_resnet", "se_micro_resnet"):
        expected = done[model, 0]["test"]["auroc"]
        assert values[f"AUROC of {model}, seed 0"] == pytest.approx(expected, abs=1e-4)
        mean = np.mean([done[model, seed]["test"]["auroc"] for seed in (0, 1)])
        (line,) = [x for x in card.text.splitlines() if x.startswith(f"| `{model}-")]
        assert f"{expected:.3f} [" in line and f"{mean:.3f} [" in line
        assert line.count("| 2 |") == 1 and line.endswith("| 20.0% |")
    assert "Not for diagnosis." in card.text and "over the study's 2 seeds" in card.text


def varied_studies(folder):
    """Makes finished folders of a pretraining and of a shortcut study."""
    common = dict(regime=0.1, size=32)
    for seed in (0, 1):
        for start in ("random", "shapes"):
            trial = Trial("micro_resnet", initialisation=start, seed=seed, **common)
            finish(folder / "pretraining", trial, shift=1 + (start == "shapes"))
        finish(folder / "pretraining", Trial("micro_resnet", "shapes", seed=seed))
        for rho in (0.0, 0.9):
            trial = Trial("cbam_micro_resnet", shortcut=rho, seed=seed, **common)
            finish(folder / "shortcut", trial, shift=2 - rho)


def test_varied_networks_are_shipped_beside_the_plain_ones(promoted, tmp_path):
    from huggingface_hub import ModelCard

    plain, _, _ = promoted
    zoo_folder, results = tmp_path / "zoo", tmp_path / "results"
    shutil.copytree(plain / "zoo", zoo_folder)
    before = {p: p.read_bytes() for p in zoo_folder.rglob("*") if p.is_file()}
    varied_studies(tmp_path)
    counts = {}
    for study in (
        "pretraining",
        "shortcut",
        "pretraining",
    ):  # repeating changes nothing
        counts[study] = promote_trials(
            tmp_path / study, zoo=zoo_folder, results=results
        )
    # Seed 0 alone; the random starts are the plain networks' trials once more.
    assert counts["pretraining"][:2] == (6, 1) and counts["shortcut"][:2] == (4, 2)
    assert all(path.read_bytes() == content for path, content in before.items())
    added = {p for p in zoo_folder.rglob("*") if p.is_file()} - set(before)
    assert sorted(p.relative_to(zoo_folder / "fundus").as_posix() for p in added) == [
        "pretraining/README.md",
        "pretraining/shapes-micro_resnet-10pct-seed0.json",
        "pretraining/shapes-micro_resnet-10pct-seed0.safetensors",
        "shortcut/README.md",
        "shortcut/shortcut0-cbam_micro_resnet-10pct-seed0.json",
        "shortcut/shortcut0-cbam_micro_resnet-10pct-seed0.safetensors",
        "shortcut/shortcut0.9-cbam_micro_resnet-10pct-seed0.json",
        "shortcut/shortcut0.9-cbam_micro_resnet-10pct-seed0.safetensors",
    ]
    card = ModelCard((zoo_folder / "fundus/shortcut/README.md").read_text())
    assert "taught a mistake on purpose" in card.text
    assert "shortcut=0" in card.text and card.text.count("\n| `shortcut0") == 2
    card = ModelCard((zoo_folder / "fundus/pretraining/README.md").read_text())
    assert "trunks that had learnt shapes" in card.text and "1000 steps" in card.text
    assert card.text.count("| 2 |") == 1  # the mean is over seeds of that start only


def test_each_kind_is_found_and_a_missing_one_is_refused_with_the_list(
    promoted, tmp_path, monkeypatch
):
    plain, _, _ = promoted
    shutil.copytree(plain / "zoo", tmp_path / "zoo")
    varied_studies(tmp_path)
    options = dict(zoo=tmp_path / "zoo", results=tmp_path / "results")
    for study in ("pretraining", "shortcut"):
        promote_trials(tmp_path / study, **options)
    # Plain networks promoted again leave those of other studies where they are.
    promote_trials(plain / "micro", **options)
    monkeypatch.setattr(zoo, "FOLDER", tmp_path / "zoo")
    assert len(zoo.list_zoo_models()) == 2
    assert len(zoo.list_zoo_models("fundus", plain=False)) == 5
    which = dict(regime=0.1)
    found = zoo.find_zoo_record("micro_resnet", **which)
    assert found["study"] == "micro" and found["trial"]["initialisation"] == "random"
    pretrained = zoo.find_zoo_record("micro_resnet", initialisation="shapes", **which)
    assert pretrained["study"] == "pretraining"
    model = zoo.load_zoo_model("cbam_micro_resnet", shortcut=0.9, **which)
    control = zoo.find_zoo_record("cbam_micro_resnet", shortcut=0, **which)
    assert control["trial"]["shortcut"] == 0.0
    zoo.load_zoo_weights(model, shortcut=0, **which)
    kinds = "'initialisation': 'shapes', 'shortcut': None, 'regime': .0.1., 'seed': .0."
    with pytest.raises(ValueError, match=kinds):
        zoo.find_zoo_record("micro_resnet", initialisation="shapes", regime=1.0)
    with pytest.raises(ValueError, match="'shortcut': 0.9.*Received.*'shortcut': 0.5"):
        zoo.load_zoo_model("cbam_micro_resnet", shortcut=0.5, **which)
    with pytest.raises(ValueError, match="'dataset': .'fundus'."):
        zoo.find_zoo_record("micro_resnet", dataset="chest", shortcut=0.9)


def test_of_networks_too_large_only_the_results_are_shipped(tmp_path, monkeypatch):
    monkeypatch.setattr("medattn.study.report.promote.MAXIMUM_BYTES", 1000)
    finish(tmp_path / "large", Trial("micro_resnet", regime=0.1, size=32))
    counts = promote_trials(
        tmp_path / "large", zoo=tmp_path / "zoo", results=tmp_path / "results"
    )
    assert counts == (1, 0, 0) and not (tmp_path / "zoo").exists()


def test_nothing_of_a_credentialed_data_set_is_shipped(tmp_path):
    for name in ("aptos2019", "mimic_cxr_jpg"):
        trial = Trial("micro_resnet", name, size=32)
        trial_folder = tmp_path / "mine" / trial_id(trial)
        trial_folder.mkdir(parents=True)
        write_json(trial_folder / "config.json", asdict(trial) | {"code": "c0de"})
        write_json(trial_folder / "failed.json", {"state": "failed", "reason": "x"})
    shipping = dict(zoo=tmp_path / "zoo", results=tmp_path / "results")
    with pytest.raises(ValueError, match="mimic_cxr_jpg.*Expected .* Received"):
        promote_trials(tmp_path / "mine", **shipping)
    assert not (tmp_path / "zoo").exists() and not (tmp_path / "results").exists()
    shutil.rmtree(trial_folder)
    assert promote_trials(tmp_path / "mine", **shipping) == (1, 0, 0)


def test_seeds_added_later_ship_what_all_at_once_would(tmp_path):
    """The second machine's seeds, added to the first's, against one that ran all."""
    for seed in (0, 1, 2):
        for model in ("micro_resnet", "se_micro_resnet"):
            trial = Trial(model, regime=0.1, size=32, seed=seed)
            for part in ("all", "first" if seed < 2 else "second"):
                finish(tmp_path / part / "micro", trial)
    once = dict(zoo=tmp_path / "zoo-once", results=tmp_path / "results-once")
    parts = dict(zoo=tmp_path / "zoo-parts", results=tmp_path / "results-parts")
    expected = promote_trials(tmp_path / "all" / "micro", **once)
    promote_trials(tmp_path / "first" / "micro", **parts)
    counts = promote_trials(tmp_path / "second" / "micro", add=True, **parts)
    assert counts == expected == (6, 2, expected[2])
    for name in ("zoo", "results"):
        one, other = tmp_path / f"{name}-once", tmp_path / f"{name}-parts"
        files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
        assert files == sorted(
            p.relative_to(other) for p in other.rglob("*") if p.is_file()
        )
        for file in files:
            if file.parts[0] == "calibration":
                continue
            # The untrained networks have random weights, which differ.
            if file.suffix in (".csv", ".md") or file.name.startswith("chances"):
                assert (one / file).read_text() == (other / file).read_text(), file
    lines = {}
    for name in ("once", "parts"):
        bins = read_bins(tmp_path / f"results-{name}" / "calibration" / "micro.csv")
        lines[name] = sorted(bins, key=lambda line: (line["model"], line["bin"]))
    for one, other in zip(lines["once"], lines["parts"], strict=True):
        for key in ("said", "happened"):
            assert one.pop(key) == pytest.approx(other.pop(key), abs=2e-6)
        assert one == other
    with pytest.raises(ValueError, match="shipped already.*Expected .* Received: 2"):
        promote_trials(tmp_path / "second" / "micro", add=True, **parts)
    finish(
        tmp_path / "third" / "micro",
        Trial("micro_resnet", regime=0.1, size=32, seed=3),
        code="0ther",
    )
    before = (tmp_path / "results-parts" / "micro.csv").read_bytes()
    with pytest.raises(ValueError, match="and what is shipped. Received: .*0ther"):
        promote_trials(tmp_path / "third" / "micro", add=True, **parts)
    assert (tmp_path / "results-parts" / "micro.csv").read_bytes() == before


def test_two_versions_of_the_code_are_not_shipped_as_one(tmp_path):
    for seed, code in enumerate(("c0de", "0ther")):
        trial = Trial("micro_resnet", regime=0.1, size=32, seed=seed)
        finish(tmp_path / "micro", trial, code=code)
    options = dict(zoo=tmp_path / "zoo", results=tmp_path / "results")
    with pytest.raises(ValueError, match="one version of the code.*0ther"):
        promote_trials(tmp_path / "micro", **options)
    with pytest.raises(ValueError, match=r"Received: \[\]"):
        promote_trials(tmp_path / "nothing", **options)
    assert not (tmp_path / "results").exists()
