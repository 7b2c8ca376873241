"""One contract for every attention layer, and the table that lists them."""

import keras
import pytest
from contract import CASES, check_disk, check_layer

import medattn
from medattn.layers import TAXONOMY, AttentionLayer, Gate, SequenceAttention
from medattn.layers.taxonomy import KINDS

# Each layer once in the quick suite; its other options among the slow.
VARIANTS = ("se_bias", "se_identity", "cbam_identity", "luong_dot", "luong_concat")
MARKED = [
    pytest.param(name, marks=pytest.mark.slow if name in VARIANTS else ())
    for name in CASES
]


@pytest.mark.parametrize("name", MARKED)
def test_every_layer_keeps_the_contract(name):
    check_layer(CASES[name])


@pytest.mark.slow
def test_every_layer_is_read_from_disk_by_a_new_process(tmp_path):
    check_disk(CASES, tmp_path)


def test_every_listed_layer_and_every_public_one_passes_the_contract():
    listed = {row["layer"] for row in medattn.list_layers().values()}
    public = [getattr(medattn.layers, name) for name in medattn.layers.__all__]
    bases = {AttentionLayer, Gate, SequenceAttention}
    classes = {thing for thing in public if isinstance(thing, type)} - bases
    assert listed == classes
    quick = {type(case.make()) for name, case in CASES.items() if name not in VARIANTS}
    assert quick == listed


@pytest.mark.parametrize("name", [name for name in CASES if name not in VARIANTS])
def test_channels_first_is_refused_by_every_layer(name):
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="channels last.*Received: 'channels_f"):
            CASES[name].make()
    finally:
        keras.config.set_image_data_format("channels_last")


def test_every_row_answers_the_four_questions_of_the_taxonomy():
    rows = medattn.list_layers()
    for name, row in rows.items():
        for axis, answers in TAXONOMY.items():
            assert row[axis] in answers, (name, axis)
        assert row["kind"] in KINDS and row["sentence"].endswith(".")
        assert row["paper"].split()[0] in row["layer"].__doc__, name
    assert {n for n, row in rows.items() if row["positions"] == "hard"} == {"hard"}
    assert [n for n, r in rows.items() if r["positions"] == "local"] == ["luong_local"]
    assert len({row["sentence"] for row in rows.values()}) == len(rows)


def test_changing_the_list_changes_nobody_elses():
    medattn.list_layers()["cbam"]["kind"] = "mine"
    assert medattn.list_layers()["cbam"]["kind"] == "image gate"
