"""The type of a tensor in signatures: whatever the chosen backend computes with."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # tensorflow.Tensor, jax.Array, torch.Tensor or KerasTensor
