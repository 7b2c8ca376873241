"""One running app for all tests of it, and a zoo with every kind of network."""

import json
import shutil

import pytest

# Which shipped network of the eye gives its weights to one that is not plain, so that
# tests know every answer, whatever the studies shipped: from (folder, initialisation
# and shortcut, regime) to the regime of the network that gives its weights.
WEIGHTS_FROM = {
    ("pretraining", ("shapes", None), 0.1): 0.5,
    ("pretraining", ("shapes", None), 1.0): 0.1,
    ("shortcut", ("random", 0.0), 1.0): 0.5,
    ("shortcut", ("random", 0.9), 1.0): 0.01,
}
BLOCKS = ("", "se_", "cbam_")


@pytest.fixture(scope="session", autouse=True)
def no_compilation_beside():
    """Equal questions have equal answers to the bit, however often they are asked."""
    from medattn_app.service import analyzers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analyzers, "ANSWERS_BEFORE_COMPILING", 10**9)
        yield


@pytest.fixture(scope="session")
def service():
    from medattn_app.service.networks import NetworkService

    return NetworkService()


@pytest.fixture(scope="session")
def app():
    """The app as `medattn app` starts it, on a free port; closed at the end."""
    from medattn_app import launch

    running = launch(port=0, block=False)
    yield running
    running.close()


@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of one file."""
    from chromium import CHROMIUM
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield running
        running.close()


@pytest.fixture(scope="module")
def raw(app):
    """A visitor of the running app without a browser."""
    import raw as asking

    made = asking.Raw(app)
    made.given = asking.given
    return made


@pytest.fixture(scope="module")
def varied_zoo(tmp_path_factory):
    """The plain networks, and the eye's ResNets pretrained and trained with a mark."""
    from medattn import zoo
    from medattn.study.plan.shipped_names import shipped_name
    from medattn_app.domain.catalogue import seed_probabilities, shipped

    folder = tmp_path_factory.mktemp("zoo")
    plain = {}
    for record in zoo.list_zoo_models():
        trial = record["trial"]
        plain[trial["dataset"], trial["model"], trial["regime"]] = record
        for suffix in (".safetensors", ".json"):
            path = (folder / trial["dataset"] / record["weights"]).with_suffix(suffix)
            path.parent.mkdir(exist_ok=True)
            source = zoo.FOLDER / trial["dataset"] / path.name
            shutil.copyfile(source, path)
    for (study, (start, shortcut), regime), source_regime in WEIGHTS_FROM.items():
        for block in BLOCKS:
            name = f"{block}micro_resnet"
            giver = plain["fundus", name, source_regime]
            trial = plain["fundus", name, regime]["trial"]
            trial = trial | {"initialisation": start, "shortcut": shortcut}
            path = folder / "fundus" / study / f"{shipped_name(trial)}.safetensors"
            path.parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / "fundus" / giver["weights"], path)
            weights = f"{study}/{path.name}"
            record = giver | {"trial": trial, "study": study, "weights": weights}
            path.with_suffix(".json").write_text(json.dumps(record))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "FOLDER", folder)
        shipped.cache_clear()
        seed_probabilities.cache_clear()
        yield folder
    shipped.cache_clear()
    seed_probabilities.cache_clear()
