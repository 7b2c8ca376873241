"""What a training starts from, what of it stays, and when it ends early."""

import numpy as np
import pytest

from medattn.data import Dataset
from medattn.models import create_model, save_weights
from medattn.study import Trial
from medattn.study.execute.rounds import Rounds
from medattn.study.execute.start import load_start
from medattn.study.execute.train import fit_trial


@pytest.fixture
def trunk():
    return create_model("micro_resnet", input_shape=(32, 32, 3), num_classes=3)


def started(trunk, model="se_micro_resnet", **options):
    fresh = create_model(model, input_shape=(32, 32, 3))
    load_start(fresh, Trial(model, initialisation="file", **options), trunk)
    return fresh


def test_a_file_gives_all_that_fits_and_the_head_stays_random(trunk, tmp_path):
    save_weights(trunk, tmp_path / "w.safetensors")
    theirs = {w.path: w.numpy() for w in trunk.weights}
    for source in (trunk, tmp_path / "w.safetensors"):
        fresh = started(source)
        for weight in fresh.weights:
            if weight.path in theirs and not weight.path.startswith("predictions"):
                np.testing.assert_allclose(
                    weight.numpy(), theirs[weight.path], atol=1e-3
                )
        assert fresh.get_layer("predictions").kernel.shape[1] == 2


def test_frozen_is_what_was_loaded_but_for_the_head(trunk):
    fresh = started(trunk, freeze=True)
    trained = {layer.name for layer in fresh.layers if layer.trainable_weights}
    assert {n for n in trained if "se" not in n} == {"predictions"}
    assert trained - {"predictions"}
    assert all(layer.trainable for layer in started(trunk).layers)
    plain = started(trunk, "micro_resnet", freeze=True)
    assert [layer.name for layer in plain.layers if layer.trainable_weights] == [
        "predictions"
    ]


def test_weights_of_another_network_are_refused(trunk):
    with pytest.raises(ValueError, match="do not fit.*micro_deit"):
        started(trunk, "micro_deit")
    with pytest.raises(ValueError, match="weights are missing"):
        started(None)


def test_a_frozen_trunk_does_not_move_in_training(trunk):
    trial = Trial(
        "micro_resnet", regime=0.01, steps=4, rounds=2, size=32, initialisation="file",
        freeze=True,
    )  # fmt: skip
    model, _, _ = fit_trial(trial, trunk=trunk)
    for layer in model.layers:
        if layer.weights and layer.name != "predictions":
            for mine, theirs in zip(
                layer.weights, trunk.get_layer(layer.name).weights, strict=True
            ):
                np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-3)


@pytest.mark.parametrize(
    ("losses", "patience", "stops"),
    [
        ([3, 2, 1], 1, False),
        ([3, 2, 2.5], 1, True),
        ([3, 2, 2.5], 2, False),
        ([3, 2, 2, 2], 2, True),  # as small is not smaller
        ([3, 2, 2.5, 2.6, 2.7], 0, False),
        ([], 1, False),
    ],
)
def test_patience_by_hand(losses, patience, stops):
    rounds = object.__new__(Rounds)
    rounds.trial = Trial("micro_resnet", patience=patience)
    rounds.history = [{"val_loss": loss} for loss in losses]
    assert rounds.stopped is stops


def test_patience_ends_a_training_and_a_resumed_one_at_the_same_round(tmp_path):
    trial = Trial(
        "micro_resnet", regime=0.01, steps=20, rounds=10, size=32, patience=1,
        learning_rate=0.5, augment=False,
    )  # fmt: skip
    model, _, history = fit_trial(trial, folder=tmp_path)
    assert len(history) < 10
    again, _, resumed = fit_trial(trial, folder=tmp_path)
    assert resumed == history
    for one, two in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_without_augmentation_the_pixels_are_those_of_the_set(monkeypatch):
    asked = []
    original = Dataset.batches

    def recorded(self, *args, **options):
        asked.append(options)
        return original(self, *args, **options)

    monkeypatch.setattr(Dataset, "batches", recorded)
    common = dict(regime=0.01, steps=2, rounds=1, size=32)
    corners = []
    for augment in (True, False):
        _, splits, _ = fit_trial(Trial("micro_resnet", augment=augment, **common))
        image, _ = next(iter(original(splits["train"], 40, **asked.pop())))
        corners.append(np.sort(np.asarray(image)[:, :9, :12].mean((1, 2, 3))))
    stored = np.sort(splits["train"].arrays().images[:, :9, :12].mean((1, 2, 3)))
    np.testing.assert_allclose(corners[1], stored, atol=1e-6)
    assert np.abs(corners[0] - stored).max() > 1e-3
