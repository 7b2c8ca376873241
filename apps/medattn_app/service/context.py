"""What every part of the page gets: the networks, the words, the host's settings."""

from dataclasses import dataclass, field
from typing import Any

from medattn_app.domain.texts import Words
from medattn_app.service.networks import NetworkService


@dataclass(frozen=True)
class Settings:
    """What the host decides, once, when the app starts.

    Attributes:
        language: Of the first page, `"en"` or another that `words` knows.
        lesson: Name of the lesson that opens first, or None.
        max_upload: Largest file a visitor may send, as Gradio writes it.
        uploads: Whether visitors may send images at all.
        own_models: Folder of `.keras` files that the host allows, or None.
        offline: Whether a connection to any other machine is refused, in this process.
        queue: Questions that may wait at once.
    """

    language: str = "en"
    lesson: str | None = None
    max_upload: str = "20mb"
    uploads: bool = True
    own_models: str | None = None
    offline: bool = False
    queue: int = 64


@dataclass(frozen=True)
class Context:
    """Handed to every tab's `build(context)`, inside its `gr.Tab`.

    Attributes:
        service: Cases, networks, answers.
        words: `words(key)` gives a text in the language of the page.
        settings: The host's `Settings`.
        shared: Gradio components that tabs share, by name. Explore puts there
            `"question"`, a hidden `gr.JSON` with the question on the page (the fields
            of `medattn_app.domain.state.Question`): read it as an input of your
            events, and listen to its `change`.
    """

    service: NetworkService
    words: Words = field(default_factory=Words)
    settings: Settings = Settings()
    shared: dict[str, Any] = field(default_factory=dict)
