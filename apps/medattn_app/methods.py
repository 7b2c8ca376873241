"""The analyzers that the page offers: plain names, groups, units."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One way to make a map.

    Attributes:
        name: Of `medattn.explain.list_analyzers()`.
        title: What the page calls it.
        group: Under which heading it stands.
        unit: What one pixel's number means.
        hint: What it does, in one sentence.
        needs: What a network must have to be read: `"spatial"` or `"channel"` gates,
            or `"tokens"`; nothing if empty.
        options: Options of the analyzer on this page, pairs of name and value.
    """

    name: str
    title: str
    group: str
    unit: str
    hint: str
    needs: str = ""
    options: tuple[tuple[str, object], ...] = ()


LOGITS = "logits a pixel"
SLOPE = "logits per unit of brightness"
OWN = "no unit: only its shape counts"
ADDS, SLOPES, LATE, READ, NONE = (
    "Adds up to the answer",
    "From the gradient",
    "From the last layers",
    "Read from the network",
    "Knows no network",
)
LIST = (
    Method("lrp.epsilon", "LRP ε", ADDS, LOGITS,
           "Shares the logit backwards, layer by layer, down to the pixels."),
    Method("lrp.gamma", "LRP γ", ADDS, LOGITS,
           "As LRP ε, with favour for what speaks for the answer."),
    Method("lrp.alpha_1_beta_0", "LRP α1β0", ADDS, LOGITS,
           "Only what excites gets a share: nothing can speak against."),
    Method("lrp.alpha_2_beta_1", "LRP α2β1", ADDS, LOGITS,
           "What excites counts twice, what inhibits once."),
    Method("lrp.sequential_preset_a", "LRP preset A", ADDS, LOGITS,
           "ε at the dense layers, α1β0 at the convolutions."),
    Method("lrp.sequential_preset_b", "LRP preset B", ADDS, LOGITS,
           "ε at the dense layers, α2β1 at the convolutions."),
    Method("lrp.attention", "LRP through attention", ADDS, LOGITS,
           "AttnLRP: relevance also goes through the softmax of self-attention."),
    Method("deep_lift.rescale", "DeepLIFT", ADDS, LOGITS,
           "Shares the difference to a reference image."),
    Method("deep_lift.reveal_cancel", "DeepLIFT RevealCancel", ADDS, LOGITS,
           "As DeepLIFT, with for and against kept apart."),
    Method("integrated_gradients", "integrated gradients", ADDS, LOGITS,
           "The gradient, averaged in 16 steps from black to the image.",
           options=(("steps", 16),)),
    Method("input_t_gradient", "input × gradient", SLOPES, LOGITS,
           "Brightness times slope of each pixel."),
    Method("gradient", "gradient", SLOPES, SLOPE,
           "How the logit would move if a pixel grew brighter."),
    Method("smoothgrad", "SmoothGrad", SLOPES, SLOPE,
           "The gradient, averaged over 16 noisy copies of the image.",
           options=(("augment_by_n", 16),)),
    Method("guided_backprop", "guided backprop", SLOPES, OWN,
           "The gradient, with everything negative cut away on the way back."),
    Method("gradcam", "Grad-CAM", LATE, OWN,
           "Where the last features lie that raise the logit."),
    Method("gradcam_plus_plus", "Grad-CAM++", LATE, OWN,
           "As Grad-CAM, for several spots at once."),
    Method("layercam", "LayerCAM", LATE, OWN,
           "As Grad-CAM, weighed place by place."),
    Method("attention.spatial_gate", "spatial gate", READ, OWN,
           "Where CBAM lets features through.", "spatial"),
    Method("attention.channel_gate", "channel gate", READ, OWN,
           "What SE or CBAM leave of each place.", "channel"),
    Method("attention.rollout", "attention rollout", READ, OWN,
           "Where a DeiT's class token looks, through all layers.", "tokens"),
    Method("attention.transformer", "attention × gradient", READ, OWN,
           "Rollout, for this answer only.", "tokens"),
    Method("random", "noise", NONE, OWN,
           "A map of chance, to compare with."),
)  # fmt: skip
METHODS = {method.name: method for method in LIST}
