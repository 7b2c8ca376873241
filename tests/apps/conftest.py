"""One running app for all tests of it, and a zoo with every kind of network."""

import json
import shutil

import pytest

# Which shipped network of the eye lends its weights to one that is not plain, so that
# tests know every answer, whatever the studies shipped: (folder, what sets it apart,
# regime) from the lender's regime.
LENT = {
    ("pretraining", ("shapes", None), 0.1): 0.5,
    ("pretraining", ("shapes", None), 1.0): 0.1,
    ("shortcut", ("random", 0.0), 1.0): 0.5,
    ("shortcut", ("random", 0.9), 1.0): 0.01,
}
BLOCKS = ("", "se_", "cbam_")


@pytest.fixture(scope="session", autouse=True)
def nothing_compiled_beside():
    """Equal questions have equal answers to the bit, asked rarely or often."""
    from medattn_app.service import analyzers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(analyzers, "ASKED", 10**9)
        yield


@pytest.fixture(scope="session")
def bench():
    from medattn_app.service.networks import Bench

    return Bench()


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
    """The plain networks, and of the eye's ResNets pretrained and taught ones."""
    from medattn import zoo
    from medattn.study.plan.shipped_names import shipped_name
    from medattn_app.domain.cells import seed_chances, shipped

    folder = tmp_path_factory.mktemp("zoo")
    plain = {}
    for record in zoo.list_zoo_models():
        trial = record["trial"]
        plain[trial["dataset"], trial["model"], trial["regime"]] = record
        for suffix in (".safetensors", ".json"):
            place = (folder / trial["dataset"] / record["weights"]).with_suffix(suffix)
            place.parent.mkdir(exist_ok=True)
            source = zoo.FOLDER / trial["dataset"] / place.name
            shutil.copyfile(source, place)
    for (study, (start, shortcut), regime), lender in LENT.items():
        for block in BLOCKS:
            name = f"{block}micro_resnet"
            lent = plain["fundus", name, lender]
            trial = plain["fundus", name, regime]["trial"]
            trial = trial | {"initialisation": start, "shortcut": shortcut}
            place = folder / "fundus" / study / f"{shipped_name(trial)}.safetensors"
            place.parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / "fundus" / lent["weights"], place)
            weights = f"{study}/{place.name}"
            record = lent | {"trial": trial, "study": study, "weights": weights}
            place.with_suffix(".json").write_text(json.dumps(record))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "FOLDER", folder)
        shipped.cache_clear()
        seed_chances.cache_clear()
        yield folder
    shipped.cache_clear()
    seed_chances.cache_clear()
