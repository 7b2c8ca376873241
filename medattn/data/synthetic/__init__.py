"""Synthetic images whose evidence is known to the pixel."""

from types import ModuleType

from medattn.data.synthetic import chest, dermoscopy, fundus

DOMAINS: dict[str, ModuleType] = {
    "chest": chest,
    "dermoscopy": dermoscopy,
    "fundus": fundus,
}
