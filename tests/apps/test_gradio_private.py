"""One contract for each private name of Gradio that the app uses, tried with 6.31.0.

A test that fails here names what a new version of Gradio broke, and who needs it.
"""

import copy
import inspect

import gradio as gr
import pytest

from medattn_app import gradio_private
from medattn_app.gradio_private import (
    LAUNCH_WITHOUT_SELF_CHECK,
    TESTED_VERSION,
    EmptyConfig,
    event_data,
    event_field,
    find_component,
    pass_path_only,
)


def broken(name, effect):
    """The sentence of a contract that no longer holds."""
    return (
        f"Gradio {gr.__version__} has changed {name}, which worked with "
        f"{TESTED_VERSION}: {effect}. Mend {gradio_private.__name__}."
    )


def test_the_installed_version_is_the_one_that_was_tried():
    assert gr.__version__ == TESTED_VERSION, (
        f"Gradio is {gr.__version__}, and its private names were tried with "
        f"{TESTED_VERSION}. If the tests of this file pass, set TESTED_VERSION."
    )


def test_event_data_holds_what_the_script_sent():
    event = gr.EventData(None, {"index": 3})
    assert getattr(event, "_data", None) == {"index": 3}, broken(
        "EventData._data", "no tab learns what was clicked"
    )
    assert event_data(event) == {"index": 3} and event_data(None) is None
    assert event_field(event, "index") == 3 and event_field(event, "other") is None
    assert event_field(gr.EventData(None, ["no", "dict"]), "index") is None


def test_an_upload_button_hands_over_what_preprocess_returns():
    said = broken("UploadButton.preprocess", "each upload leaves an empty file behind")
    source = inspect.getsource(gr.Blocks.preprocess_data)
    assert "block.preprocess" in source, said
    assert "self" in inspect.signature(gr.UploadButton.preprocess).parameters, said
    with gr.Blocks():
        button = pass_path_only(gr.UploadButton())
    assert button.preprocess(gr.FileData(path="/tmp/eye.png")) == "/tmp/eye.png", said
    assert button.preprocess(None) is None


def test_the_context_knows_the_page_that_is_being_built():
    from gradio.context import Context

    said = broken("context.Context.root_block", "the lesson does not see what is done")
    assert Context.root_block is None and find_component("first") is None, said
    with gr.Blocks() as page:
        first, last = gr.HTML(elem_id="first"), gr.HTML(elem_id="first")
        assert Context.root_block is page, said
        assert find_component("first") is last is not first
        assert find_component("nowhere") is None


def test_blocks_lists_the_components_of_the_page_by_id():
    with gr.Blocks() as page:
        part = gr.HTML(elem_id="part")
    assert page.blocks.get(part._id) is part and part.elem_id == "part", broken(
        "Blocks.blocks", "no component is found by its elem_id"
    )


@pytest.mark.parametrize("option", LAUNCH_WITHOUT_SELF_CHECK)
def test_launch_takes_the_private_options(option):
    assert option in inspect.signature(gr.Blocks.launch).parameters, broken(
        f"the option {option} of Blocks.launch", "a busy machine fails to start"
    )


def test_a_session_is_made_from_the_default_config_and_the_blocks():
    from gradio.state_holder import SessionState, StateHolder

    said = broken("state_holder", "each session keeps 1.3 MB and every map it was sent")
    with gr.Blocks() as page:
        part = gr.HTML("a map")
    holder = StateHolder()
    holder.set_blocks(page)
    assert page.state_holder is holder and holder.session_data == {}, said
    session = SessionState(page)
    assert set(session.config_values) == {part._id}, said
    assert session.blocks_config is not page.default_config, said
    assert copy.copy(page.default_config).blocks.keys() == {part._id}, said
    session.config_values = EmptyConfig()
    session._update_value_in_config(part._id, "another map")
    assert list(session.components) == [], said


def test_an_empty_config_seems_to_have_every_key_and_keeps_none():
    config = EmptyConfig()
    config["a"] = 5
    assert "a" in config and config["a"] == {} and len(config) == 0


def test_a_session_describes_no_component_and_keeps_nothing_that_it_was_sent(app):
    sessions = app.app.state_holder
    said = broken("App.state_holder", "sessions are as large as Gradio's own")
    assert type(sessions).__name__ == "SmallSessions", said
    session = sessions["a session"]
    for component in app.blocks:
        session._update_value_in_config(component, "a map, a picture")
    # Gradio's own session: 1.3 MB of descriptions, and each last value.
    assert len(session.config_values) == 0 and list(session.components) == [], said
    for key, component in session.blocks_config.blocks.items():
        assert component is app.default_config.blocks[key], said
    assert sessions["a session"] is session
    del sessions.session_data["a session"]


def test_a_session_keeps_its_own_state_and_no_other_sees_it(app):
    from gradio.components import State

    state = next(key for key, part in app.blocks.items() if isinstance(part, State))
    sessions = app.app.state_holder
    sessions["ours"][state] = "ours alone"
    assert sessions["ours"][state] == "ours alone" != sessions["theirs"][state]
    for name in ("ours", "theirs"):
        del sessions.session_data[name]


def test_a_running_app_says_so_until_it_is_closed():
    with gr.Blocks() as page:
        gr.HTML()
    assert getattr(page, "is_running", None) is False, broken(
        "Blocks.is_running", "memory is trimmed after the app was closed, or never"
    )
