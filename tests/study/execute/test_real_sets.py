"""Studies of real data sets: their protocol, their options, their folders."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import medattn.zoo
from medattn.cli import main
from medattn.data import load_dataset
from medattn.study import PRESETS, Study, Trial, read_results, read_study, trial_id
from medattn.study.analyse.results import COLUMNS, gather_results, write_results
from medattn.study.execute.splits import load_splits
from medattn.study.plan import trial as trial_module
from medattn.study.plan.study import change_study
from medattn.study.plan.trial import LATER, read_trial, trial_config


@pytest.fixture
def aptos(tmp_path, monkeypatch):
    """Eighty photographs in Kaggle's layout, the last two copies of the first."""
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "sets" / "aptos2019"
    (folder / "train_images").mkdir(parents=True)
    lines = ["id_code,diagnosis"]
    for i in range(80):
        rng = np.random.default_rng(i % 78)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
        coarse.resize((40, 30)).save(folder / "train_images" / f"eye{i:02d}.png")
        lines.append(f"eye{i:02d},{i % 78 % 4}")
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_shipped_networks_keep_the_ids_of_their_trials(monkeypatch):
    """Fields that were added later change no id of a trial that does not use them."""
    key = ("dataset", "model", "regime", "seed", "initialisation", "shortcut")
    named = {tuple(row[k] for k in key): row for row in read_results()}
    checked = 0
    for path in Path(medattn.zoo.__file__).parent.glob("*/*.json"):
        record = json.loads(path.read_text())
        row = named.get(tuple(record["trial"][k] for k in key))
        if row is None or row["code"] != record.get("code"):
            continue
        monkeypatch.setattr(
            trial_module, "code_fingerprint", lambda code=row["code"]: code
        )
        trial = read_trial(record["trial"])
        assert trial_id(trial) == row["id"]
        assert trial_config(trial) == record["trial"]
        checked += 1
    assert checked >= 84


def test_another_protocol_or_other_options_have_another_id():
    plain = Trial("resnet50", "mimic_cxr_jpg")
    others = [
        Trial("resnet50", "mimic_cxr_jpg", protocol="study"),
        Trial("resnet50", "mimic_cxr_jpg", reader={"view": "PA"}),
        Trial("resnet50", "mimic_cxr_jpg", reader={"view": "PA", "negatives": "both"}),
    ]
    assert len({trial_id(trial) for trial in (plain, *others)}) == 4
    assert trial_id(others[0]).startswith("mimic_cxr_jpg-study_protocol-resnet50-100")
    assert not set(LATER) & set(trial_config(plain))
    for trial in others:
        again = read_trial(json.loads(json.dumps(trial_config(trial))))
        assert again == trial and hash(again) == hash(trial)
    reordered = Trial(
        "resnet50", "mimic_cxr_jpg", reader=[("negatives", "both"), ("view", "PA")]
    )
    assert reordered == others[2]


@pytest.mark.parametrize(
    "change",
    [
        dict(protocol="papers"),
        dict(reader={"root": "here"}),
        dict(reader={"view": ["AP", "PA"]}),
        dict(reader="view=PA"),
    ],
)
def test_impossible_dataset_options_are_refused(change):
    with pytest.raises(ValueError, match="Expected .* Received"):
        Trial("micro_resnet", "mimic_cxr_jpg", **change)


def test_a_trial_loads_the_data_of_its_protocol_and_options(aptos):
    common = dict(regime=0.5, seed=3, size=32)
    found = {}
    for protocol in ("default", "study"):
        trial = Trial("micro_resnet", "aptos2019", protocol=protocol, **common)
        splits = load_splits(trial, root=str(aptos))
        for split in ("train", "validation", "test"):
            of_split = common if split != "test" else common | {"regime": 1.0}
            expected = load_dataset(
                "aptos2019", split=split, root=aptos, protocol=protocol, **of_split
            )
            assert splits[split].ids == expected.ids
        found[protocol] = splits
    assert found["study"]["train"].ids != found["default"]["train"].ids

    def all_ids(trial):
        splits = load_splits(trial, root=str(aptos)).values()
        return {name for split in splits for name in split.ids}

    full = dict(regime=1.0, size=32)
    assert len(all_ids(Trial("micro_resnet", "aptos2019", **full))) == 78
    duplicated = Trial(
        "micro_resnet", "aptos2019", reader={"duplicates": "keep"}, **full
    )
    assert len(all_ids(duplicated)) == 80


def test_the_paper_study_uses_the_published_protocol_and_the_repaired_one_not():
    assert {t.protocol for t in PRESETS["paper"].trials()} == {"study"}
    assert {t.protocol for t in PRESETS["paper-repaired"].trials()} == {"default"}
    for study in (PRESETS["paper"], PRESETS["paper-repaired"]):
        study.check_names()


def test_dataset_options_are_read_from_the_study_file(tmp_path):
    path = tmp_path / "views.toml"
    path.write_text(
        'preset = "paper"\ndatasets = ["mimic_cxr_jpg"]\n[budget]\n'
        'protocol = "default"\n[by_dataset.mimic_cxr_jpg.reader]\n'
        'view = "frontal"\nofficial_split = false\n'
    )
    trials = read_study(path).check_names().trials()
    options = (("official_split", False), ("view", "frontal"))
    assert {(t.protocol, t.reader) for t in trials} == {("default", options)}
    assert all(t.class_weights for t in trials)  # the preset's options stay


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(datasets="fundus", budget={"protocol": "study"}), "no option 'protocol'"),
        (dict(datasets="retinamnist", budget={"protocol": "study"}), "no protocol"),
        (dict(datasets="isic2020", budget={"reader": {"view": "AP"}}), "option 'view'"),
        (dict(datasets="shapes", budget={"protocol": "study"}), "without options"),
    ],
)
def test_options_that_a_data_set_does_not_have_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        change_study(Study(), **changes).check_names()


def test_the_root_of_a_data_set_is_a_folder_of_its_name_or_the_only_one(aptos):
    study = Study(datasets=("aptos2019", "isic2020", "fundus"), root=str(aptos.parent))
    assert study.root_of("aptos2019") == str(aptos)
    assert study.root_of("fundus") is None
    assert study.root_of("isic2020") == str(aptos.parent)
    assert Study(root=str(aptos)).root_of("aptos2019") == str(aptos)
    assert Study().root_of("aptos2019") is None


def test_the_plan_shows_protocol_and_options(monkeypatch, capsys, tmp_path):
    def planned(*arguments):
        line = ["medattn", "study", "plan", *arguments, "--folder", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", line)
        main()
        return capsys.readouterr().out

    paper = planned("paper")
    assert "4 x resnet50             aptos2019, imagenet start, protocol study" in paper
    assert "protocol" not in planned("paper-repaired")
    changed = planned(
        "paper", "--datasets", "mimic_cxr_jpg", "--protocol", "default",
        "--reader", "mimic_cxr_jpg.view=PA", "mimic_cxr_jpg.negatives=both",
    )  # fmt: skip
    assert "start, negatives=both, view=PA" in changed and "protocol" not in changed
    with pytest.raises(SystemExit):
        planned("paper", "--reader", "view=PA")
    assert "dataset.option=value" in capsys.readouterr().err


def test_results_have_a_later_column_only_if_a_trial_uses_it(tmp_path):
    trials = {
        "plain": Trial("micro_resnet"),
        "other": Trial("micro_resnet", "isic2020", protocol="study", reader={"a": 1}),
    }
    for name, trial in trials.items():
        folder = tmp_path / name / trial_id(trial)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(trial_config(trial)))
        failed = {"state": "failed", "reason": "no files"}
        (folder / "failed.json").write_text(json.dumps(failed))
        write_results(gather_results(tmp_path / name), tmp_path / f"{name}.csv")
    header = (tmp_path / "plain.csv").read_text().splitlines()[0].split(",")
    assert header == [name for name in COLUMNS if name not in LATER]
    (row,) = read_results(tmp_path / "other.csv")
    assert (row["protocol"], row["reader"]) == ("study", "a=1")
