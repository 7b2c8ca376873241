"""Files as they are published: names and shapes copied from the original networks."""

import numpy as np

RNG = np.random.default_rng(0)


def norm(name, width):
    return {
        f"{name}.weight": (width,),
        f"{name}.bias": (width,),
        f"{name}.running_mean": (width,),
        f"{name}.running_var": (width,),
        f"{name}.num_batches_tracked": (),
    }


def linear(name, inputs, outputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def resnet50():
    """The state of torchvision's and timm's resnet50."""
    state = {"conv1.weight": (64, 3, 7, 7)} | norm("bn1", 64)
    inputs = 64
    for stage, (depth, width) in enumerate(
        zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), start=1
    ):
        for block in range(depth):
            prefix = f"layer{stage}.{block}"
            state[f"{prefix}.conv1.weight"] = (width, inputs, 1, 1)
            state[f"{prefix}.conv2.weight"] = (width, width, 3, 3)
            state[f"{prefix}.conv3.weight"] = (4 * width, width, 1, 1)
            state |= norm(f"{prefix}.bn1", width) | norm(f"{prefix}.bn2", width)
            state |= norm(f"{prefix}.bn3", 4 * width)
            if block == 0:
                state[f"{prefix}.downsample.0.weight"] = (4 * width, inputs, 1, 1)
                state |= norm(f"{prefix}.downsample.1", 4 * width)
            inputs = 4 * width
    return state | linear("fc", 2048, 1000)


def deit_tiny():
    """The state of timm's deit_tiny_patch16_224."""
    state = {
        "cls_token": (1, 1, 192),
        "pos_embed": (1, 197, 192),
        "patch_embed.proj.weight": (192, 3, 16, 16),
        "patch_embed.proj.bias": (192,),
    }
    for block in range(12):
        prefix = f"blocks.{block}"
        for name in (f"{prefix}.norm1", f"{prefix}.norm2"):
            state |= {f"{name}.weight": (192,), f"{name}.bias": (192,)}
        state |= linear(f"{prefix}.attn.qkv", 192, 576)
        state |= linear(f"{prefix}.attn.proj", 192, 192)
        state |= linear(f"{prefix}.mlp.fc1", 192, 768)
        state |= linear(f"{prefix}.mlp.fc2", 768, 192)
    state |= {"norm.weight": (192,), "norm.bias": (192,)}
    return state | linear("head", 192, 1000)


def densenet121():
    """The layers of Keras's file, in its older names: layer -> weight -> shape."""
    layers = {"conv1/conv": {"kernel": (7, 7, 3, 64)}, "conv1/bn": keras_norm(64)}
    width = 64
    for stage, depth in enumerate((6, 12, 24, 16), start=2):
        for block in range(1, depth + 1):
            prefix = f"conv{stage}_block{block}"
            layers[f"{prefix}_0_bn"] = keras_norm(width)
            layers[f"{prefix}_1_conv"] = {"kernel": (1, 1, width, 128)}
            layers[f"{prefix}_1_bn"] = keras_norm(128)
            layers[f"{prefix}_2_conv"] = {"kernel": (3, 3, 128, 32)}
            width += 32
        if stage < 5:
            layers[f"pool{stage}_bn"] = keras_norm(width)
            layers[f"pool{stage}_conv"] = {"kernel": (1, 1, width, width // 2)}
            width //= 2
    layers["bn"] = keras_norm(width)
    layers["fc1000"] = {"kernel": (width, 1000), "bias": (1000,)}
    return layers


def keras_norm(width):
    kinds = ("gamma", "beta", "moving_mean", "moving_variance")
    return dict.fromkeys(kinds, (width,))


def numbers(shape):
    return RNG.uniform(0.01, 0.1, shape).astype(np.float32)


def write_safetensors(path, shapes):
    """Writes random numbers under a state's names, and returns them."""
    from safetensors.numpy import save_file

    state = {name: numbers(shape) for name, shape in shapes.items()}
    save_file(state, path)
    return state


def write_keras(path, layers):
    """Writes random numbers as Keras 2 laid them out, and returns them by path."""
    import h5py

    written = {}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in ("input_1", *layers)]
        file.create_group("input_1").attrs["weight_names"] = []
        for layer, weights in layers.items():
            group = file.create_group(layer)
            names = [f"{layer}/{kind}:0" for kind in weights]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, shape in zip(names, weights.values(), strict=True):
                written[name] = group[name] = numbers(shape)
    return {name: np.asarray(array) for name, array in written.items()}
