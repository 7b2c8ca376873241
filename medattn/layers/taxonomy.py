"""The table of all layers: what kind of attention each is, and from which paper."""

from typing import Any

from medattn.layers.attention import AttentionLayer
from medattn.layers.bahdanau import BahdanauAttention
from medattn.layers.bam import BAM
from medattn.layers.cbam import CBAM, ChannelAttention, SpatialAttention
from medattn.layers.coordinate import CoordinateAttention
from medattn.layers.eca import EfficientChannelAttention
from medattn.layers.global_context import GlobalContext
from medattn.layers.hard import HardAttention
from medattn.layers.luong import LuongAttention
from medattn.layers.luong_local import LuongLocalAttention
from medattn.layers.self_attention import MultiHeadSelfAttention
from medattn.layers.soft import SoftAttention
from medattn.layers.squeeze_excite import SqueezeExcite

# The four questions of Chaudhari et al., 2021, "An attentive survey of attention
# models" (https://doi.org/10.1145/3465055), with their possible answers. The survey
# calls soft what Luong calls global. No layer here is multi-level (words, then
# sentences) or co-attention (two sequences weighing each other); they are listed
# because a learner will read of them.
TAXONOMY = {
    "levels": ("single-level", "multi-level"),
    "positions": ("soft/global", "hard", "local"),
    "representations": ("single", "multi-representational", "multi-dimensional"),
    "sequences": ("distinctive", "co-attention", "self-attention"),
}
KINDS = ("image gate", "self-attention", "sequence")


def _row(
    layer: type[AttentionLayer], kind: str, paper: str, sentence: str, **axes: str
) -> dict[str, Any]:
    common = dict(levels="single-level", positions="soft/global")
    return dict(layer=layer, kind=kind, **common | axes, paper=paper, sentence=sentence)


# The survey classifies the sequence layers and self-attention. The image gates are
# classified here, by its definitions: their weights come from the input that they
# weigh, so self-attention; where each channel has its own weight, multi-dimensional.
GATE = dict(kind="image gate", sequences="self-attention")
EACH_CHANNEL = dict(GATE, representations="multi-dimensional")
EACH_POSITION = dict(GATE, representations="single")
SEQUENCE = dict(kind="sequence", sequences="distinctive", representations="single")

LAYERS = {
    "squeeze_excite": _row(
        SqueezeExcite,
        paper="Hu et al., 2018",
        sentence="Each channel is weighed by the means of all channels.",
        **EACH_CHANNEL,
    ),
    "channel_attention": _row(
        ChannelAttention,
        paper="Woo et al., 2018",
        sentence="Each channel is weighed by the means and the maxima of all.",
        **EACH_CHANNEL,
    ),
    "spatial_attention": _row(
        SpatialAttention,
        paper="Woo et al., 2018",
        sentence="Each position is weighed by its surroundings, over all channels.",
        **EACH_POSITION,
    ),
    "cbam": _row(
        CBAM,
        paper="Woo et al., 2018",
        sentence="Channels are weighed first, then positions.",
        **EACH_CHANNEL,
    ),
    "eca": _row(
        EfficientChannelAttention,
        paper="Wang et al., 2020",
        sentence="Each channel is weighed by the means of its neighbours.",
        **EACH_CHANNEL,
    ),
    "bam": _row(
        BAM,
        paper="Park et al., 2018",
        sentence="Channels and positions are weighed in parallel.",
        **EACH_CHANNEL,
    ),
    "global_context": _row(
        GlobalContext,
        paper="Cao et al., 2019",
        sentence="A weighted sum over all positions is added everywhere.",
        **EACH_POSITION,
    ),
    "coordinate": _row(
        CoordinateAttention,
        paper="Hou et al., 2021",
        sentence="Each channel is weighed by row and by column.",
        **EACH_CHANNEL,
    ),
    "multi_head": _row(
        MultiHeadSelfAttention,
        kind="self-attention",
        sequences="self-attention",
        representations="multi-representational",
        paper="Vaswani et al., 2017",
        sentence="Every token weighs every token, in several heads at once.",
    ),
    "bahdanau": _row(
        BahdanauAttention,
        paper="Bahdanau et al., 2015",
        sentence="A small network computes how well each value fits the query.",
        **SEQUENCE,
    ),
    "luong": _row(
        LuongAttention,
        paper="Luong et al., 2015",
        sentence="A product measures how well each value fits the query.",
        **SEQUENCE,
    ),
    "luong_local": _row(
        LuongLocalAttention,
        positions="local",
        paper="Luong et al., 2015",
        sentence="Only the values in a window around one position are weighed.",
        **SEQUENCE,
    ),
    "soft": _row(
        SoftAttention,
        paper="Xu et al., 2015",
        sentence="A word receives an average over the positions of the image.",
        **SEQUENCE,
    ),
    "hard": _row(
        HardAttention,
        positions="hard",
        paper="Xu et al., 2015",
        sentence="A word receives one position of the image, sampled at random.",
        **SEQUENCE,
    ),
}


def list_layers() -> dict[str, dict[str, Any]]:
    """Returns all attention layers with their classification.

    Returns:
        A dict from name to row, a dict itself: `layer`, the class; `kind`, one of
        `KINDS`; `levels`, `positions`, `representations` and `sequences`, answers of
        `TAXONOMY`; `paper`; and `sentence`, what it does.
    """
    return {name: dict(row) for name, row in LAYERS.items()}
