"""Synthetic images whose evidence is known to the pixel."""

from medattn.data.synthetic import chest, dermoscopy, fundus

DOMAINS = {"chest": chest, "dermoscopy": dermoscopy, "fundus": fundus}
