"""Models of a user: ours load as they were, hostile ones are refused unread."""

import json
import zipfile

import keras
import numpy as np
import pytest

from medattn.models import create_model
from medattn.zoo import list_own_models, load_own_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """As `medattn train --output` leaves it: one model with its record."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "fundus").mkdir()
    model = create_model("cbam_micro_resnet", input_shape=(32, 32, 3))
    model.save(folder / "fundus" / "cbam.keras")
    (folder / "fundus" / "cbam.json").write_text(json.dumps({"trial": {"regime": 0.1}}))
    return folder


def rewritten(source, target, change):
    """Copies a .keras file with another config.json."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for part in old.namelist():
            content = old.read(part)
            if part == "config.json":
                content = json.dumps(change(json.loads(content)))
            new.writestr(part, content)


def test_a_model_is_listed_with_its_record_and_loaded_as_it_was(folder):
    assert list_own_models(folder) == {"fundus/cbam.keras": {"trial": {"regime": 0.1}}}
    model = load_own_model(folder, "fundus/cbam.keras")
    again = load_own_model(folder, "fundus/cbam.keras")
    x = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    assert model.predict_on_batch(x).shape == (2, 2)
    np.testing.assert_array_equal(model.predict_on_batch(x), again.predict_on_batch(x))


def test_a_name_that_was_not_listed_is_refused(folder, tmp_path):
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(1)]).save(
        tmp_path / "outside.keras"
    )
    (folder / "link.keras").symlink_to(tmp_path / "outside.keras")
    assert list(list_own_models(folder)) == ["fundus/cbam.keras"]
    for name in ("link.keras", "../outside.keras", str(tmp_path / "outside.keras"), ""):
        with pytest.raises(ValueError, match="no such model"):
            load_own_model(folder, name)


def test_a_lambda_is_refused_before_it_is_created(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x[:, 0, 0])]
    )
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ValueError, match="code from elsewhere.*Lambda"):
        load_own_model(tmp_path, "lambda.keras")


@pytest.mark.parametrize("module", ["os", "subprocess", "numpy", "my_layers"])
def test_a_class_from_elsewhere_is_refused_at_any_depth(folder, tmp_path, module):
    def change(config):
        hidden = {"class_name": "system", "module": module, "config": {}}
        config["config"]["layers"][3]["config"]["deep"] = [{"er": hidden}]
        return config

    rewritten(folder / "fundus" / "cbam.keras", tmp_path / "evil.keras", change)
    with pytest.raises(ValueError, match=f"code from elsewhere.*{module}"):
        load_own_model(tmp_path, "evil.keras")


def test_a_file_that_is_no_keras_file_is_refused_in_a_sentence(folder, tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    with zipfile.ZipFile(tmp_path / "empty.keras", "w") as packed:
        packed.writestr("nothing", "")
    with zipfile.ZipFile(
        tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED, compresslevel=1
    ) as packed:
        with packed.open("config.json", "w", force_zip64=True) as part:
            for _ in range(501):
                part.write(bytes(1_000_000))
    rewritten(
        folder / "fundus" / "cbam.keras", tmp_path / "odd.keras", lambda config: [1, 2]
    )
    for name, message in (
        ("text", "is no .keras file"),
        ("empty", "is no .keras file"),
        ("bomb", "too large"),
        ("odd", "cannot be loaded"),
    ):
        with pytest.raises(ValueError, match=message) as error:
            load_own_model(tmp_path, f"{name}.keras")
        assert "\n" not in str(error.value)


def test_a_model_whose_input_is_no_image_is_refused(tmp_path):
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]).save(
        tmp_path / "table.keras"
    )
    with pytest.raises(ValueError, match="does not classify images"):
        load_own_model(tmp_path, "table.keras")


def test_a_broken_record_is_left_out(folder, tmp_path):
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]).save(
        tmp_path / "table.keras"
    )
    (tmp_path / "table.json").write_text("{broken")
    assert list_own_models(tmp_path) == {"table.keras": None}
