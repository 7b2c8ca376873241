"""The types of tensors, shapes and masks in signatures."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # tensorflow.Tensor, jax.Array, torch.Tensor or KerasTensor
Shape: TypeAlias = tuple[int | None, ...]  # None where a size is not known
Mask: TypeAlias = list[Tensor | None] | None  # of queries and of values
