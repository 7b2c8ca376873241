"""Training one trial: repeatable, recorded, measured."""

import hashlib
import json

import numpy as np
import pytest

from medattn.models import create_model, load_weights
from medattn.study import Trial, evaluate, probabilities, save_trial, train_trial


@pytest.fixture(scope="module")
def short():
    """A trial of 12 steps, trained."""
    trial = Trial("se_micro_resnet", regime=0.01, steps=12, size=32)
    return trial, *train_trial(trial, verbose=0)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(short):
    trial, model, measured = short
    again, measured_again = train_trial(trial, verbose=0)
    for one, two in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    assert measured["test"] == measured_again["test"]
    other = Trial("se_micro_resnet", regime=0.01, steps=12, size=32, seed=1)
    third, measured_third = train_trial(other, verbose=0)
    assert measured_third["train_ids_sha256"] != measured["train_ids_sha256"]
    assert not np.array_equal(third.weights[0].numpy(), model.weights[0].numpy())


def test_the_training_is_measured(short):
    trial, _, measured = short
    assert measured["train_images"] == 40
    assert measured["epochs"] == pytest.approx(12 * 32 / 40)
    assert measured["test_images"] == 1000
    test = measured["test"]
    assert 0 <= test["auroc"] <= 1 and test["majority_accuracy"] == 0.514
    assert 0 < test["relevance_mass_random"] < test["relevance_mass_edges"] < 1


def test_the_saved_record_and_weights_are_those_measured(short, tmp_path):
    trial, model, measured = short
    path = save_trial(tmp_path, trial, model, measured)
    record = json.loads(path.read_text())
    assert record["trial"]["model"] == "se_micro_resnet"
    assert record["measured"] == measured
    weights = path.parent / record["weights"]
    content = weights.read_bytes()
    assert record["weights_sha256"] == hashlib.sha256(content).hexdigest()
    fresh = create_model("se_micro_resnet", input_shape=(32, 32, 3))
    load_weights(fresh, weights)
    for one, two in zip(fresh.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    assert sorted(p.suffix for p in path.parent.iterdir()) == [".json", ".safetensors"]


def test_a_diverging_training_raises():
    with pytest.raises(ValueError, match="diverged"):
        train_trial(
            Trial("micro_resnet", regime=0.01, steps=12, size=32, learning_rate=1e30),
            verbose=0,
        )


@pytest.mark.parametrize("change", [dict(steps=0), dict(batch_size=0)])
def test_an_empty_budget_is_refused(change):
    with pytest.raises(ValueError, match="> 0. Received"):
        Trial("micro_resnet", **change)


class Ranked:
    """A model with known logits: two pixels of its image."""

    def predict_on_batch(self, images):
        return images[:, 0, 0, :2]


def test_auroc_and_accuracy_by_hand():
    """Positives .9 .4, negatives .6 .1: three of four pairs in order."""
    scores = np.float32([0.9, 0.4, 0.6, 0.1])
    images = np.zeros((4, 1, 1, 3), np.float32)
    images[:, 0, 0, 1] = scores - 0.5
    found = evaluate(Ranked(), images, np.array([1, 1, 0, 0]), batch_size=3)
    assert (found["auroc"], found["accuracy"]) == (0.75, 0.5)
    assert found["majority_accuracy"] == found["balanced_accuracy"] == 0.5
    # From the top: the first is positive, the third of three is the second positive.
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2)


def test_probabilities_are_the_softmax_and_survive_large_logits():
    images = np.zeros((2, 1, 1, 3), np.float32)
    images[0, 0, 0, :2] = [0.0, np.log(3)]
    images[1, 0, 0, :2] = [900.0, -900.0]
    np.testing.assert_allclose(
        probabilities(Ranked(), images), [[0.25, 0.75], [1.0, 0.0]], atol=1e-7
    )
