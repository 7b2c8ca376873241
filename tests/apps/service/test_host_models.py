"""The host's own models are explained by the same analyzers, with the same audit."""

import json
import threading

import numpy as np
import pytest

from medattn.zoo import load_zoo_model
from medattn_app.domain.cases import synthetic_cases
from medattn_app.domain.texts import Words
from medattn_app.service.host_models import HostModels
from medattn_app.tabs.uploaded.view import page_html


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """A folder with a shipped network saved whole, as `medattn train` saves one."""
    folder = tmp_path_factory.mktemp("mine")
    load_zoo_model("se_micro_resnet").save(folder / "mine.keras")
    trial = dict(model="se_micro_resnet", dataset="fundus", regime=1.0)
    (folder / "mine.json").write_text(json.dumps({"trial": trial}))
    return HostModels(folder, threading.RLock())


@pytest.mark.parametrize("method", ["lrp.epsilon", "gradient"])
def test_a_saved_model_answers_as_the_shipped_one(host, method):
    from medattn_app.service.networks import NetworkService

    (cell,) = host.cells()
    assert cell.title == "mine.keras (se_micro_resnet, 100%, fundus)"
    case, service = synthetic_cases("fundus")[2], NetworkService()
    expected = service.answer(case, service.cell("fundus", "ResNet", "SE", 1.0), method)
    found = host.answer(case, cell, method)
    assert found.probability == pytest.approx(expected.probability, abs=1e-6)
    np.testing.assert_allclose(found.relevance, expected.relevance, atol=2e-5)
    assert found.audit_line == expected.audit_line
    html = page_html(case, found, method, Words())
    assert "not for diagnosis" in html and "uploaded-map" in html


def test_a_method_that_cannot_read_the_model_says_so(host):
    (cell,) = host.cells()
    found = host.answer(synthetic_cases("fundus")[0], cell, "attention.rollout")
    assert found.relevance is None and found.refused


def test_without_a_folder_there_is_no_model():
    assert HostModels(None, threading.RLock()).cells() == []
