"""The table of what works: every cell is a figure, or the sentence of a refusal."""

import keras
import numpy as np
import supported
import supported_models
from keras import layers

CELLS = supported.cells()


def test_the_page_is_made_of_the_cells():
    assert supported.PAGE.read_text() == supported.page(CELLS)


def test_every_cell_works_or_says_why_not():
    for cell in CELLS:
        assert "fails" not in cell, cell
        if "refused" in cell:
            assert "Expected" in cell["refused"], cell
            continue
        assert cell["works"] is True
        exact = cell["analyzer"].startswith(("lrp", "deep_lift"))
        assert not exact or cell["error"] < 1e-3, cell


def test_a_cell_is_computed_and_one_with_a_fault_is_shown_as_such():
    image = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    model = keras.Model(image, layers.Dense(3)(x))
    supported.calibrate(model)
    assert supported.tried(model, "lrp.epsilon", {})["error"] < 1e-4
    assert supported.tried(model, "gradient", {}) == {"works": True}
    refused = supported.tried(model, "attention.rollout", {})["refused"]
    assert refused.startswith("There is no such attention") and "Received" not in (
        refused
    )
    row = {"group": "forms", "model": "x"}
    made = [{**row, "analyzer": a, "works": True} for a in supported.ANALYZERS]
    made[0] |= {"error": 3e-7}
    made[1] = {**row, "analyzer": supported.ANALYZERS[1], "fails": "KeyError: 1"}
    made[2] = {**row, "analyzer": supported.ANALYZERS[2], "refused": "It is refused."}
    text = supported.page(made)
    assert "| x | 3e-07 | **KeyError: 1** | [1] | yes |" in text
    assert "1. It is refused." in text


def test_the_models_of_the_table_are_those_that_are_promised():
    groups = [entry.group for entry in supported_models.MODELS.values()]
    counted = {name: groups.count(name) for name in set(groups)}
    assert counted["keras.applications"] >= 35 and counted["keras_hub"] >= 9
    assert counted["forms"] >= 17
    assert set(supported_models.OPTIONS) <= {
        name.removeprefix("hub ") for name in supported_models.MODELS
    }
    images = supported.images_of(supported_models.MODELS["any size"].build())
    assert images.shape == (1, 32, 32, 3) and np.isfinite(images).all()
