"""What an LRP analyzer says of the channels of a layer: concepts."""

import numpy as np

from medattn.explain.audit import AuditedAnalyzer
from medattn.explain.checks import Images, Neurons
from medattn.explain.concepts.relevance import Concepts, explain_concepts
from medattn.explain.lrp.conditional import SplitRelevance


class ExplainsChannels(AuditedAnalyzer):
    """An LRP analyzer whose relevance can be split at a layer.

    Attributes:
        splits: The layers where it was split, by name.
    """

    splits: dict[str, SplitRelevance]

    def channel_relevance(
        self, x: Images, layer: str, neuron_selection: Neurons = None
    ) -> np.ndarray:
        """Sums the relevance of each channel of a layer's output.

        Args:
            x: As in `analyze`.
            layer: The layer's name.
            neuron_selection: As in `analyze`.

        Returns:
            `(batch, channels)`, in logits.
        """
        images, neurons = self._checked(x, neuron_selection)
        found: np.ndarray = self._split_at(layer, images).at_layer(images[0], neurons)[
            1
        ]
        return found

    def concepts(
        self,
        x: Images,
        layer: str,
        neuron_selection: Neurons = None,
        *,
        top: int = 5,
        references: np.ndarray | None = None,
        examples: int | None = None,
    ) -> Concepts:
        """Explains by the channels of a layer (concept relevance propagation).

        Args:
            x: As in `analyze`, of a model with one input.
            layer: The layer's name; relevance is split at its output.
            neuron_selection: As in `analyze`.
            top: How many channels are shown, those of the most relevance.
            references: The channels' relevance on reference images, as
                `channel_relevance(reference_images, layer)` gives it.
            examples: How many reference images a channel; default `top`.

        Returns:
            See `Concepts`. The maps of all channels and `rest` add up to the map of
            `analyze`.

        Raises:
            ValueError: If relevance cannot be split at this layer.

        Reference:
            [Achtibat et al., 2023](https://doi.org/10.1038/s42256-023-00711-8).
        """
        images, neurons = self._checked(x, neuron_selection)
        return explain_concepts(
            self._split_at(layer, images),
            images[0],
            neurons,
            top=top,
            references=references,
            examples=top if examples is None else examples,
        )

    def gate_concepts(
        self, x: Images, layer: str, neuron_selection: Neurons = None, *, top: int = 5
    ) -> dict[str, Concepts]:
        """Explains by channels twice: with the gates held, and with them shared.

        Args:
            x: As in `concepts`.
            layer: A gate's name, or that of a layer before it.
            neuron_selection: As in `analyze`.
            top: As in `concepts`.

        Returns:
            `"held"` and `"shared"`, see `Concepts`.
        """
        options = {name: getattr(self, name) for name in self.options}
        found = {}
        for gates in ("held", "shared"):
            options["gates"] = gates
            analyzer = type(self)(self.model, self.neuron_selection_mode, **options)
            found[gates] = analyzer.concepts(x, layer, neuron_selection, top=top)
        return found

    def _split_at(self, layer: str, images: list[np.ndarray]) -> SplitRelevance:
        opened = self._for(images)
        if layer not in opened.splits:
            opened.splits[layer] = SplitRelevance(opened, layer)
        return opened.splits[layer]
