"""Every layer again in plain numpy, slower, from its paper: scores and outputs."""

import math

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def squash(layer, z):
    return sigmoid(z) * (1 if layer.start == "paper" else 2)


def softmax(fits):
    weights = [math.exp(fit - max(fits)) for fit in fits]
    return [weight / sum(weights) for weight in weights]


def dense(part, z):
    """A dense map or a 1 x 1 convolution."""
    kernel = part.kernel.numpy().reshape(part.kernel.shape[-2:])
    return z @ kernel + (part.bias.numpy() if part.use_bias else 0)


def conv(part, z, dilation=1):
    """A square window slid over the maps, zeros around them."""
    kernel = part.kernel.numpy()
    side, (rows, columns) = kernel.shape[0], z.shape[1:3]
    reach = dilation * (side // 2)
    padded = np.pad(z, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    outputs = np.zeros((*z.shape[:3], kernel.shape[-1]))
    for r in range(side):
        for c in range(side):
            top, left = dilation * r, dilation * c
            patch = padded[:, top : top + rows, left : left + columns]
            outputs += patch @ kernel[r, c]
    return outputs + (part.bias.numpy() if part.use_bias else 0)


def normed(part, z):
    """A batch norm in inference."""
    mean, variance = part.moving_mean.numpy(), part.moving_variance.numpy()
    scale = part.gamma.numpy() / np.sqrt(variance + 1e-5)
    return (z - mean) * scale + part.beta.numpy()


def mlp(layer, z):
    return dense(layer.expand, np.maximum(dense(layer.reduce, z), 0))


def squeeze_excite(layer, x):
    scores = squash(layer, mlp(layer, x.mean((1, 2))))[:, None, None]
    return scores, x * scores


def channel_attention(layer, x):
    z = mlp(layer, x.mean((1, 2))) + mlp(layer, x.max((1, 2)))
    scores = squash(layer, z)[:, None, None]
    return scores, x * scores


def spatial_attention(layer, x):
    pooled = np.stack([x.max(-1), x.mean(-1)], -1)
    scores = squash(layer, normed(layer.norm, conv(layer.conv, pooled)))
    return scores, x * scores


def cbam(layer, x):
    channel, gated = channel_attention(layer.channel, x)
    spatial, outputs = spatial_attention(layer.spatial, gated)
    return channel * spatial, outputs


def efficient_channel_attention(layer, x):
    kernel = layer.conv.kernel.numpy().ravel()
    side, channels = len(kernel), x.shape[-1]
    means = np.pad(x.mean((1, 2)), ((0, 0), (side // 2, side // 2)))
    z = sum(kernel[k] * means[:, k : k + channels] for k in range(side))
    scores = squash(layer, z)[:, None, None]
    return scores, x * scores


def bam(layer, x):
    hidden = np.maximum(dense(layer.narrow, x), 0)
    hidden = np.maximum(conv(layer.look1, hidden, layer.dilation), 0)
    hidden = np.maximum(conv(layer.look2, hidden, layer.dilation), 0)
    spatial = normed(layer.spatial_norm, dense(layer.place, hidden))
    channel = normed(layer.channel_norm, mlp(layer, x.mean((1, 2))))
    scores = squash(layer, channel[:, None, None] + spatial)
    return scores, x + x * scores


def global_context(layer, x):
    batch, height, width, channels = x.shape
    positions = x.reshape(batch, -1, channels)
    fit = np.exp(positions @ layer.key.kernel.numpy())
    scores = fit / fit.sum(1, keepdims=True)
    z = dense(layer.reduce, (positions * scores).sum(1))
    z = (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
    z = z * layer.norm.gamma.numpy() + layer.norm.beta.numpy()
    added = dense(layer.expand, np.maximum(z, 0))
    return scores.reshape(batch, height, width, 1), x + added[:, None, None]


def coordinate(layer, x):
    def gate(part, means):
        z = normed(layer.norm, dense(layer.squeeze, means))
        return squash(layer, dense(part, z * np.clip(z + 3, 0, 6) / 6))

    by_row, by_column = gate(layer.rows, x.mean(2)), gate(layer.columns, x.mean(1))
    scores = by_row[:, :, None] * by_column[:, None]
    return scores, x * scores


def multi_head(layer, x):
    """Equation 1 for each head on its slice of the channels, then one linear map."""
    q, k, v = (dense(part, x) for part in (layer.query, layer.key, layer.value))
    size = x.shape[-1] // layer.heads
    scores, mixed = [], []
    for head in range(layer.heads):
        part = slice(head * size, (head + 1) * size)
        fit = np.exp(q[..., part] @ k[..., part].swapaxes(1, 2) / np.sqrt(size))
        scores.append(fit / fit.sum(-1, keepdims=True))
        mixed.append(scores[-1] @ v[..., part])
    return np.stack(scores, 1), dense(layer.join, np.concatenate(mixed, -1))


def bahdanau_fit(layer, q, h):
    """v tanh(W s + U h), for one query and one value."""
    return dense(layer.vector, np.tanh(dense(layer.query, q) + dense(layer.key, h)))[0]


def luong_fit(layer, q, h):
    """The three scores, for one query and one value; concat with one matrix."""
    if layer.score == "dot":
        return q @ h
    if layer.score == "general":
        return q @ (layer.key.kernel.numpy().T @ h)
    w = np.concatenate([layer.query.kernel.numpy(), layer.key.kernel.numpy()])
    return np.tanh(np.concatenate([q, h]) @ w) @ layer.vector.kernel.numpy()[:, 0]


def sequence(layer, inputs, weigh):
    """Each query separately: weights of all values, then their sum."""
    query, values = inputs
    scores = [
        [weigh(layer, t, q, sample) for t, q in enumerate(queries)]
        for queries, sample in zip(query, values, strict=True)
    ]
    outputs = [
        [sum(w * h for w, h in zip(row, sample, strict=True)) for row in rows]
        for rows, sample in zip(scores, values, strict=True)
    ]
    return np.array(scores), np.array(outputs)


def bahdanau(layer, inputs):
    def weigh(layer, t, q, values):
        return softmax([bahdanau_fit(layer, q, h) for h in values])

    return sequence(layer, inputs, weigh)


def luong(layer, inputs):
    def weigh(layer, t, q, values):
        return softmax([luong_fit(layer, q, h) for h in values])

    return sequence(layer, inputs, weigh)


def luong_local(layer, inputs):
    def weigh(layer, t, q, values):
        centre = t
        if layer.centre == "predicted":
            centre = sigmoid(dense(layer.place, np.tanh(dense(layer.look, q)))[0])
            centre *= len(values)
        first = max(0, math.ceil(centre - layer.window))
        last = min(len(values) - 1, math.floor(centre + layer.window))
        window = range(first, last + 1)
        weights = [0.0] * len(values)
        if window:
            inside = softmax([luong_fit(layer, q, values[s]) for s in window])
            for s, weight in zip(window, inside, strict=True):
                weights[s] = weight
                if layer.centre == "predicted":
                    sigma = layer.window / 2
                    weights[s] *= math.exp(-((s - centre) ** 2) / (2 * sigma**2))
        return weights

    return sequence(layer, inputs, weigh)


def soft(layer, inputs):
    scores, outputs = bahdanau(layer, inputs)
    if layer.gate:
        outputs = outputs * sigmoid(dense(layer.beta, inputs[0]))
    return scores, outputs


def hard(layer, inputs):
    """Outside training: the value at the most probable position."""
    scores, _ = bahdanau(layer, inputs)
    best = scores.argmax(-1)
    return scores, np.stack([h[s] for h, s in zip(inputs[1], best, strict=True)])
