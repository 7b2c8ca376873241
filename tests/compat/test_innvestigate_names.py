"""iNNvestigate's names, defaults and errors, and scripts in its examples' form."""

import importlib.util

import keras
import numpy as np
import pytest
from keras import layers

from medattn.compat import innvestigate
from medattn.explain import create_analyzer, list_analyzers, run_eagerly


@pytest.fixture(autouse=True)
def eagerly():
    with run_eagerly():
        yield


def conv_net(end="linear", seed=0):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Conv2D(5, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(6, activation="relu"),
            layers.Dense(3, activation=end),
        ]
    )
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).random((4, 8, 8, 3)).astype(np.float32)


NAMES = list(innvestigate.analyzer.analyzers)
OPTIONS = {
    "lrp": {"rule": "Z"},
    "lrp.alpha_beta": {"beta": 1},
    "deep_taylor.bounded": {"low": 0, "high": 1},
    "smoothgrad": {"augment_by_n": 4},
    "integrated_gradients": {"steps": 4},
}


def test_every_name_of_the_original_is_there():
    assert set(list_analyzers("innvestigate")) == set(NAMES)


@pytest.mark.filterwarnings("ignore:The map does not add up")
@pytest.mark.parametrize("name", NAMES)
def test_a_script_that_compares_all_analyzers(name, images):
    """As the original's comparison: softmax off, analyze, sum, scale, colour."""
    model = conv_net("softmax")
    model_wo_sm = innvestigate.model_wo_softmax(model)
    analyzer = innvestigate.create_analyzer(name, model_wo_sm, **OPTIONS.get(name, {}))
    a = analyzer.analyze(images[:1])
    assert a.shape == (1, 8, 8, 3) and np.isfinite(a).all() and a.any()
    picture = innvestigate.utils.visualizations.heatmap(a)
    assert picture.shape == (1, 8, 8, 3) and 0 <= picture.min() <= picture.max() <= 1


def test_a_script_that_explains_each_neuron_by_its_index(images):
    model = conv_net()
    analyzer = innvestigate.create_analyzer(
        "lrp.epsilon", model, neuron_selection_mode="index", epsilon=1e-7
    )
    every = [analyzer.analyze(images, neuron) for neuron in range(3)]
    chosen = analyzer.analyze(images, [0, 1, 2, 0])
    for sample, neuron in enumerate([0, 1, 2, 0]):
        np.testing.assert_allclose(chosen[sample], every[neuron][sample], atol=1e-6)
    all_of_them = innvestigate.create_analyzer(
        "lrp.epsilon", model, neuron_selection_mode="all"
    ).analyze(images)
    np.testing.assert_allclose(all_of_them, sum(every), atol=1e-4)


def test_a_script_that_perturbs_the_most_relevant_regions(images):
    model = conv_net("softmax")
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    labels = model.predict_on_batch(images).argmax(-1)
    analyzer = innvestigate.create_analyzer(
        "gradient", innvestigate.model_wo_softmax(model), postprocess="abs"
    )
    perturbation = innvestigate.tools.Perturbation("zeros", region_shape=(2, 2))
    generator = innvestigate.utils.BatchSequence([images, labels], batch_size=3)
    analysis = innvestigate.tools.PerturbationAnalysis(
        analyzer, model, generator, perturbation, steps=3, regions_per_step=5
    )
    scores = analysis.compute_perturbation_analysis()
    assert len(scores) == 4 and scores[0][1] == 1.0 and scores[3][0] > scores[0][0]


def test_regions_are_replaced_in_the_order_of_their_relevance():
    """Of four regions of one image, the two of the largest mean."""
    x = np.ones((1, 4, 4, 1))
    relevance = np.kron([[4.0, 1.0], [2.0, 3.0]], np.ones((2, 2)))[None, ..., None]
    perturbation = innvestigate.tools.Perturbate("zeros", 2, region_shape=(2, 2))
    found = perturbation.perturbate_on_batch(x, relevance)[0, ..., 0]
    np.testing.assert_array_equal(found, np.kron([[0, 1], [1, 0]], np.ones((2, 2))))
    assert x.all()  # not in place


def test_regions_that_do_not_fill_the_image_are_padded():
    x = np.arange(25.0).reshape(1, 5, 5, 1) + 1
    perturbation = innvestigate.tools.Perturbation("mean", 9, region_shape=(2, 2))
    assert perturbation.perturbate_on_batch(x, x).shape == x.shape


def test_lrp_takes_names_classes_lists_and_conditions(images):
    model = conv_net()

    class EpsilonRule:  # as a script may import it from the original
        pass

    def maps(**options):
        return innvestigate.create_analyzer("lrp", model, **options).analyze(images)

    z = create_analyzer("lrp.z", model, softmax="after").analyze(images)
    for rule in ("Z", "ZRule", ["Z"] * 4, [(lambda layer: True, "Z")]):
        np.testing.assert_allclose(maps(rule=rule), z, atol=1e-5)
    np.testing.assert_allclose(maps(rule=EpsilonRule), z, atol=1e-4)

    def dense(layer):
        return isinstance(layer, layers.Dense)

    by_kind = maps(rule=[(dense, "Z"), (lambda layer: True, "Flat")])
    in_order = maps(rule=["Flat", "Flat", "Z", "Z"])
    np.testing.assert_allclose(by_kind, in_order, atol=1e-5)
    flat = maps(rule="Z", input_layer_rule="Flat")
    np.testing.assert_allclose(flat, maps(rule=["Flat", "Z", "Z", "Z"]), atol=1e-5)
    until = maps(rule=[(dense, "Z")], until_layer_idx=1, until_layer_rule="Flat")
    np.testing.assert_allclose(until, in_order, atol=1e-5)
    bounded = maps(rule="Z", input_layer_rule=(0.0, 1.0))
    assert bounded.shape == images.shape and not np.allclose(bounded, z)


def test_the_names_have_their_own_defaults(images):
    model = conv_net()
    ours = create_analyzer("lrp.alpha_2_beta_1", model, bias_in_both=True)
    theirs = innvestigate.create_analyzer("lrp.alpha_2_beta_1", model)
    a, b = ours.analyze(images), theirs.analyze(images)
    np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(a).max())
    papers = create_analyzer("lrp.alpha_2_beta_1", model).analyze(images)
    assert not np.allclose(papers, b)
    analyzers = innvestigate.analyzer.analyzers
    assert analyzers["smoothgrad"].defaults["noise_scale"] == 1.0
    assert analyzers["integrated_gradients"].defaults["rule"] == "left"


def test_a_batch_norm_is_a_layer_of_its_own_with_its_own_rule(images):
    """z of a norm alone: R_in = x scale R / y, as its dedicated rule says."""
    image = keras.Input((3,))
    norm = layers.BatchNormalization()
    model = keras.Model(image, layers.Dense(2, use_bias=False)(norm(image)))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    x = np.float32([[1.0, 2.0, 4.0]])
    y = norm(x).numpy()
    gamma, beta, mean, variance, kernel = (w.numpy() for w in model.weights)
    scale = gamma / np.sqrt(variance + norm.epsilon)
    top = (y @ kernel)[0].argmax()
    expected = x * scale / y * (y * kernel[:, top])
    found = innvestigate.create_analyzer("lrp", model, rule="Z").analyze(x)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    flat = innvestigate.create_analyzer("lrp", model, rule="Z", bn_layer_rule="Flat")
    np.testing.assert_allclose(flat.analyze(x), y * kernel[:, top], rtol=1e-4)


def test_its_errors():
    model, with_softmax = conv_net(), conv_net("softmax")
    create = innvestigate.create_analyzer
    with pytest.raises(KeyError, match="lrp.z"):
        create("lrp.zz", model)
    with pytest.raises(innvestigate.NotAnalyzeableModelException, match="softmax"):
        create("gradient", with_softmax)
    create("gradient", with_softmax, disable_model_checks=True)
    create("input", with_softmax)
    with pytest.raises(ValueError, match="needs rules"):
        create("lrp", model)
    with pytest.raises(ValueError, match="alpha, beta or both"):
        create("lrp.alpha_beta", model)
    with pytest.raises(ValueError, match="Unknown LRP rule"):
        create("lrp", model, rule="Zz")
    with pytest.raises(ValueError, match="too few rules"):
        create("lrp", model, rule=["Z"])
    with pytest.raises(ValueError, match="Unknown neuron selection mode"):
        create("gradient", model, neuron_selection_mode="any")
    with pytest.raises(ValueError, match="mode 'index'"):
        create("gradient", model).analyze(np.zeros((1, 8, 8, 3)), 1)
    with pytest.raises(TypeError, match="Unknown options"):
        create("gradient", model, steps=3)
    with pytest.raises(ValueError, match="no such activation"):
        innvestigate.model_wo_softmax(model)
    smooth = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="tanh")])
    with pytest.raises(innvestigate.NotAnalyzeableModelException, match="ReLU"):
        create("guided_backprop", smooth)
    assert innvestigate.analyzer.LRPZ is innvestigate.analyzer.analyzers["lrp.z"]


INSTALLED = importlib.util.find_spec("innvestigate") is not None
RANDOM = ("smoothgrad", "random")


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="needs the extra innvestigate")
@pytest.mark.filterwarnings("ignore:The map does not add up")
def test_maps_are_the_originals(images):
    """One process for all names, so that TensorFlow starts once."""
    model = conv_net()
    for name in NAMES:
        if name in RANDOM:
            continue
        options = OPTIONS.get(name, {})
        theirs = create_analyzer(name, model, engine="innvestigate", **options)
        ours = innvestigate.create_analyzer(name, model, **options)
        a, b = theirs.analyze(images), ours.analyze(images)
        np.testing.assert_allclose(a, b, atol=1e-2 * np.abs(a).max(), err_msg=name)
