"""Renders a card as Markdown with Hugging Face front matter, Croissant and picture.

`medattn data cards` renders all; run it after changing a card or the images.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from medattn.data.cards import CARDS, DatasetCard

SPDX = {
    "Apache-2.0": ("apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"),
    "CC-BY-4.0": ("cc-by-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    "CC-BY-NC-4.0": ("cc-by-nc-4.0", "https://creativecommons.org/licenses/by-nc/4.0/"),
}
QUESTIONS = {
    "motivation": "Why it was made",
    "composition": "What is in it",
    "collection": "How it was collected",
    "annotation": "Who labelled it, and how",
    "uses": "What it is good for",
    "limits": "Known limits",
    "sensitive": "Personal information",
    "maintenance": "Upkeep",
}
RAI = {
    "collection": "rai:dataCollection",
    "annotation": "rai:dataAnnotationProtocol",
    "uses": "rai:dataUseCases",
    "limits": "rai:dataLimitations",
    "sensitive": "rai:personalSensitiveInformation",
    "maintenance": "rai:dataReleaseMaintenancePlan",
}


def size_category(count: int) -> str:
    """Names the order of magnitude as the Hugging Face hub does."""
    ends = {1e3: "n<1K", 1e4: "1K<n<10K", 1e5: "10K<n<100K", 1e6: "100K<n<1M"}
    return next((name for end, name in ends.items() if count < end), "n>1M")


def front_matter(card: DatasetCard) -> dict[str, Any]:
    """Returns the YAML header that the Hugging Face hub reads, as a dict."""
    known = SPDX.get(card.licence)
    head: dict[str, Any] = {
        "pretty_name": card.title,
        "license": known[0] if known else "other",
        "task_categories": ["image-classification"],
        "annotations_creators": ["machine-generated" if card.drawn else "found"],
        "source_datasets": ["original"],
        "tags": ["medical", "attention", *(["synthetic"] if card.drawn else [])],
    }
    if not known:
        head["license_name"] = card.licence
        if card.licence_link:
            head["license_link"] = card.licence_link
    if card.sizes:
        head["size_categories"] = [size_category(sum(card.sizes.values()))]
        splits = [{"name": k, "num_examples": n} for k, n in card.sizes.items()]
        names = {str(i): name for i, name in enumerate(card.classes)}
        head["dataset_info"] = {
            "features": [
                {"name": "image", "dtype": "image"},
                {"name": "label", "dtype": {"class_label": {"names": names}}},
            ],
            "splits": splits,
        }
    if card.access.get("credentialed"):
        head["extra_gated_prompt"] = card.access["dua"]
    return head


def markdown(card: DatasetCard, *, picture: str | None = None) -> str:
    """Renders a card as Markdown.

    Args:
        card: A `DatasetCard`.
        picture: File name of its contact sheet, or None.
    """
    head = yaml.safe_dump(front_matter(card), sort_keys=False, allow_unicode=True)
    lines = [f"---\n{head}---\n", f"# {card.name}: {card.title}\n"]
    if card.access.get("prohibited"):
        lines += ["> **Restricted.** " + " ".join(card.access["prohibited"]) + "\n"]
    lines += [f"**{card.warning}**\n"]
    if picture:
        lines += [f"![Six by four images]({picture})\n"]
    table = {
        "stands for": card.stands_for,
        "source": card.source,
        "licence": card.licence,
        "classes": ", ".join(f"{i} {name}" for i, name in enumerate(card.classes)),
        "images": ", ".join(f"{k} {n:,}" for k, n in card.sizes.items()),
        "in its tables": ", ".join(f"{k} {n:,}" for k, n in card.counts.items()),
        "share of class 1": ", ".join(f"{k} {v}" for k, v in card.prevalence.items()),
        "split": ", ".join(f"{k}: {v}" for k, v in card.split.items()),
        "duplicates": card.duplicates,
        "how to get it": card.access.get("steps", ""),
    }
    lines += ["| | |\n|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in table.items() if value]
    lines += [""]
    if card.label:
        lines += ["## What the label means\n"]
        lines += [f"- **{key}**: {value}" for key, value in card.label.items()]
        lines += [""]
    for key, question in QUESTIONS.items():
        if key in card.about:
            lines += [f"## {question}\n", _paragraphs(card.about[key]), ""]
    for title, points in (
        ("Known shortcuts", card.shortcuts),
        ("Groups to look at", card.subgroups),
    ):
        if points:
            lines += [f"## {title}\n", *(f"- {point}" for point in points), ""]
    if card.study:
        lines += ["## The study's own splits\n", "| split | images | positive |"]
        lines += ["|---|---|---|"]
        for split, found in card.study.items():
            lines += [f"| {split} | {found['images']} | {found['positives']} |"]
        lines += [""]
    if card.hashes:
        lines += ["## Hashes\n"]
        lines += [f"- {what}: `{value}`" for what, value in card.hashes.items()]
        lines += [""]
    if card.files:
        lines += ["## Files\n", "| pixels | MD5 | from |", "|---|---|---|"]
        lines += [f"| {s} | {f['md5']} | {f['url']} |" for s, f in card.files.items()]
        lines += [""]
    if card.citation:
        lines += ["## Citation\n", card.citation, ""]
    return "\n".join(lines).rstrip() + "\n"


def croissant(card: DatasetCard) -> dict[str, Any]:
    """Returns the card as Croissant 1.0 JSON-LD with its RAI fields, as a dict."""
    known = SPDX.get(card.licence)
    about = {
        key: _paragraphs(card.about[part])
        for part, key in RAI.items()
        if part in card.about
    }
    biases = [*card.shortcuts, *(f"Subgroup: {group}" for group in card.subgroups)]
    text = f"{card.title}. {card.source}. {card.warning}"
    text = " ".join([text, *card.access.get("prohibited", ())])
    facts = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": card.name,
        "description": text,
        "license": known[1] if known else card.licence_link or card.licence,
        "url": card.link,
        "citeAs": card.citation,
        "datePublished": card.published,
        "version": "1.0.0",
        **about,
        "rai:dataBiases": biases,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": f"{card.name}-{size}",
                "name": f"{card.name}-{size}",
                "contentUrl": file["url"],
                "encodingFormat": "application/zip",
                "md5": file["md5"],
            }
            for size, file in card.files.items()
        ],
    }
    return {key: value for key, value in facts.items() if value != ""}


def contact_sheet(images: np.ndarray) -> np.ndarray:
    """Puts up to 24 images `(n, size, size, 3)` on a sheet, six in a row."""
    size = images.shape[1]
    full = np.zeros((24, size, size, 3), np.uint8)
    full[: len(images)] = images[:24]
    rows = full.reshape(4, 6, size, size, 3).swapaxes(1, 2)
    return rows.reshape(4 * size, 6 * size, 3)


def picture(card: DatasetCard) -> np.ndarray:
    """Makes the contact sheet of a synthetic data set: its first 24 test images."""
    from medattn.data.synthetic.dataset import draw_images

    return contact_sheet(draw_images(card.name, range(24), size=144)["image"])


def write_cards(folder: Path) -> list[Path]:
    """Renders every card into a folder, synthetic data sets with a picture.

    Args:
        folder: Made if it does not exist.

    Returns:
        The paths written.
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, card in CARDS.items():
        sheet = f"{name}.png" if card.drawn else None
        if sheet:
            Image.fromarray(picture(card)).save(folder / sheet)
            written.append(folder / sheet)
        (folder / f"{name}.md").write_text(markdown(card, picture=sheet))
        (folder / f"{name}.json").write_text(croissant_text(card))
        written += [folder / f"{name}.md", folder / f"{name}.json"]
    return written


def croissant_text(card: DatasetCard) -> str:
    """Returns the Croissant JSON-LD of a card as stored in `data_cards/`."""
    return json.dumps(croissant(card), indent=1, ensure_ascii=False) + "\n"


def _paragraphs(text: Any) -> str:
    if isinstance(text, list):
        return "\n".join(f"- {point}" for point in text)
    return " ".join(str(text).split())


CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
