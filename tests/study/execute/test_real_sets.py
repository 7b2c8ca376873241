"""Studies of real data sets: their protocol, their readers' options, their folders."""

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
from medattn.study.execute.train import load_parts
from medattn.study.plan import trial as room
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


def test_shipped_networks_keep_the_names_of_their_trials(monkeypatch):
    """The fields that came later change no id of a trial that does not use them."""
    key = ("dataset", "model", "regime", "seed", "initialisation", "shortcut")
    named = {tuple(row[k] for k in key): row for row in read_results()}
    checked = 0
    for path in Path(medattn.zoo.__file__).parent.glob("*/*.json"):
        record = json.loads(path.read_text())
        row = named.get(tuple(record["trial"][k] for k in key))
        if row is None or row["code"] != record.get("code"):
            continue
        monkeypatch.setattr(room, "code_fingerprint", lambda code=row["code"]: code)
        trial = read_trial(record["trial"])
        assert trial_id(trial) == row["id"]
        assert trial_config(trial) == record["trial"]
        checked += 1
    assert checked >= 84


def test_the_protocol_and_the_readers_options_name_other_trials():
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
    turned = Trial(
        "resnet50", "mimic_cxr_jpg", reader=[("negatives", "both"), ("view", "PA")]
    )
    assert turned == others[2]


@pytest.mark.parametrize(
    "change",
    [
        dict(protocol="papers"),
        dict(reader={"root": "here"}),
        dict(reader={"view": ["AP", "PA"]}),
        dict(reader="view=PA"),
    ],
)
def test_an_impossible_reader_is_refused(change):
    with pytest.raises(ValueError, match="Expected .* Received"):
        Trial("micro_resnet", "mimic_cxr_jpg", **change)


def test_a_trial_reads_what_its_protocol_and_options_ask_for(aptos):
    of = dict(regime=0.5, seed=3, size=32)
    found = {}
    for protocol in ("default", "study"):
        trial = Trial("micro_resnet", "aptos2019", protocol=protocol, **of)
        parts = load_parts(trial, root=str(aptos))
        for split in ("train", "validation", "test"):
            thin = of if split != "test" else of | {"regime": 1.0}
            asked = load_dataset(
                "aptos2019", split=split, root=aptos, protocol=protocol, **thin
            )
            assert parts[split].ids == asked.ids
        found[protocol] = parts
    assert found["study"]["train"].ids != found["default"]["train"].ids

    def everyone(trial):
        parts = load_parts(trial, root=str(aptos)).values()
        return {name for part in parts for name in part.ids}

    whole = dict(regime=1.0, size=32)
    assert len(everyone(Trial("micro_resnet", "aptos2019", **whole))) == 78
    kept = Trial("micro_resnet", "aptos2019", reader={"duplicates": "keep"}, **whole)
    assert len(everyone(kept)) == 80


def test_the_paper_uses_its_own_protocol_and_the_repaired_one_the_default():
    assert {t.protocol for t in PRESETS["paper"].trials()} == {"study"}
    assert {t.protocol for t in PRESETS["paper-repaired"].trials()} == {"default"}
    for study in (PRESETS["paper"], PRESETS["paper-repaired"]):
        study.check_names()


def test_options_of_a_reader_stand_in_the_study_file(tmp_path):
    path = tmp_path / "views.toml"
    path.write_text(
        'preset = "paper"\ndatasets = ["mimic_cxr_jpg"]\n[budget]\n'
        'protocol = "default"\n[by_dataset.mimic_cxr_jpg.reader]\n'
        'view = "frontal"\nofficial_split = false\n'
    )
    trials = read_study(path).check_names().trials()
    asked = (("official_split", False), ("view", "frontal"))
    assert {(t.protocol, t.reader) for t in trials} == {("default", asked)}
    assert all(t.class_weights for t in trials)  # what the preset said of the set stays


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(datasets="fundus", budget={"protocol": "study"}), "no option 'protocol'"),
        (dict(datasets="retinamnist", budget={"protocol": "study"}), "no protocol"),
        (dict(datasets="isic2020", budget={"reader": {"view": "AP"}}), "option 'view'"),
        (dict(datasets="shapes", budget={"protocol": "study"}), "without options"),
    ],
)
def test_a_plan_refuses_what_its_data_sets_do_not_have(changes, said):
    with pytest.raises(ValueError, match=said):
        change_study(Study(), **changes).check_names()


def test_each_set_has_a_folder_of_its_name_or_the_only_one(aptos):
    study = Study(datasets=("aptos2019", "isic2020", "fundus"), root=str(aptos.parent))
    assert study.root_of("aptos2019") == str(aptos)
    assert study.root_of("fundus") is None
    assert study.root_of("isic2020") == str(aptos.parent)
    assert Study(root=str(aptos)).root_of("aptos2019") == str(aptos)
    assert Study().root_of("aptos2019") is None


def test_the_plan_tells_protocol_and_options(monkeypatch, capsys, tmp_path):
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


def test_results_have_the_later_columns_only_where_a_trial_used_them(tmp_path):
    trials = {
        "plain": Trial("micro_resnet"),
        "other": Trial("micro_resnet", "isic2020", protocol="study", reader={"a": 1}),
    }
    for name, trial in trials.items():
        place = tmp_path / name / trial_id(trial)
        place.mkdir(parents=True)
        (place / "config.json").write_text(json.dumps(trial_config(trial)))
        failed = {"state": "failed", "reason": "no files"}
        (place / "failed.json").write_text(json.dumps(failed))
        write_results(gather_results(tmp_path / name), tmp_path / f"{name}.csv")
    header = (tmp_path / "plain.csv").read_text().splitlines()[0].split(",")
    assert header == [name for name in COLUMNS if name not in LATER]
    (row,) = read_results(tmp_path / "other.csv")
    assert (row["protocol"], row["reader"]) == ("study", "a=1")
