"""Run where torch is installed: random weights of the originals, and their logits.

torchvision's wheel is built for another torch than a CPU has; two operators that only
detection needs are declared, so that it imports.
"""

import sys

import numpy as np
import torch
from safetensors.numpy import save_file

library = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    library.define(f"{operator}(Tensor dets, Tensor scores, float limit) -> Tensor")

import timm  # noqa: E402
import torchvision  # noqa: E402

FOLDER = sys.argv[1]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

torch.manual_seed(0)
images = torch.rand(2, 3, 224, 224)
np.save(f"{FOLDER}/images.npy", images.permute(0, 2, 3, 1).numpy())
normal = (images - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]

ORIGINALS = {
    "resnet50": torchvision.models.resnet50(weights=None),
    "densenet121": torchvision.models.densenet121(weights=None),
    "deit_tiny": timm.create_model("deit_tiny_patch16_224", pretrained=False),
}
for name, model in ORIGINALS.items():
    for key, value in model.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.2)
        elif key.endswith("running_var"):
            value.uniform_(0.7, 1.4)
        elif key.endswith("bias"):
            value.normal_(0, 0.1)
        elif key in ("cls_token", "pos_embed"):
            value.normal_(0, 0.5)
    state = {key: value.numpy() for key, value in model.state_dict().items()}
    save_file(state, f"{FOLDER}/{name}.safetensors")
    with torch.no_grad():
        np.save(f"{FOLDER}/{name}.npy", model.eval()(normal).numpy())
    print(name, len(state))
