"""The table of all metrics."""

import numpy as np
import pytest
from metric_maps import gradient_of

from medattn.explain import evaluate_maps, mean_rows
from medattn.explain.metrics.table import BETTER


@pytest.mark.slow
def test_the_table_has_every_metric_for_every_method_and_both_baselines(
    trained, drawings
):
    model = trained("cbam_micro_resnet")
    diseased = np.flatnonzero(drawings["label"])[:4]
    images, masks = drawings["image"][diseased], drawings["evidence"][diseased]
    artefacts = np.zeros_like(masks)
    artefacts[:, :6, :6] = True
    names = ["lrp.epsilon", "attention.spatial_gate"]
    before = model.get_weights()
    table = evaluate_maps(
        model,
        images,
        names,
        neuron=1,
        masks=masks,
        artefacts=artefacts,
        steps=8,
        samples=2,
    )
    assert list(table) == [*names, "random map", "edge detector"]
    for row in table.values():
        assert set(row) == set(BETTER)
        assert {v.shape for v in row.values()} == {(4,)}
    lrp, noise, edges = (
        table[k] for k in ("lrp.epsilon", "random map", "edge detector")
    )
    assert lrp["area_gain"].mean() > 2 * noise["area_gain"].mean()
    np.testing.assert_allclose(edges["randomised_spearman"], 1)
    assert np.abs(noise["randomised_spearman"]).max() < 0.1
    assert (lrp["randomised_spearman"] < 0.9).all()
    rows = mean_rows(table)
    assert [row["map"] for row in rows] == list(table)
    assert rows[0]["area_gain"] == pytest.approx(lrp["area_gain"].mean())
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_the_table_without_masks_and_checks_has_the_other_metrics(linear_model):
    model, images = linear_model
    table = evaluate_maps(
        model,
        images,
        {"gradient": gradient_of},
        neuron=[0, 0, 1],
        checks=False,
        steps=4,
    )
    assert set(table["gradient"]) == {"deletion", "insertion", "sparseness"}
    with pytest.raises(ValueError, match="Received: .'random map'"):
        evaluate_maps(model, images, {"random map": gradient_of}, neuron=0)
