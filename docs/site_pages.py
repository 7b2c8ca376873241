"""Pages that are generated with the site: tutorials, cards, networks, report.

A tutorial is shown with its outputs if `tutorials/build.py --run` has executed it;
otherwise without them, and with a note.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
TUTORIALS = ROOT / "tutorials" / "solutions"
EXECUTED = ROOT / "build" / "tutorials"
CARDS = ROOT / "data_cards"
ZOO = ROOT / "medattn" / "zoo"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages to those of the folder."""
    pages: dict[str, str | bytes] = {}
    for path in sorted(TUTORIALS.glob("*.ipynb")):
        pages |= tutorial_pages(path)
    pages["tutorials/index.md"] = tutorials_index()
    pages |= card_pages()
    pages["networks/index.md"] = networks_page()
    for name, path in model_cards().items():
        body = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(), flags=re.S)
        pages[f"networks/{name}.md"] = body  # without the metadata
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Inserts the study's report into its page."""
    return with_report(markdown) if page.file.src_uri == "report.md" else markdown


def with_report(markdown: str, **options: Any) -> str:
    """Replaces the two comments in the report's page.

    Args:
        markdown: The page.
        **options: `source=`, results other than the shipped ones.
    """
    from medattn.study import report_fragment

    body, seeds = report_fragment(**options)
    lines = [
        f"- study `{name}`, {_seed_list(some)}" for name, some in seeds.items() if some
    ]
    listed = "\n".join(lines) or "- no trial has finished"
    markdown = markdown.replace("<!-- the seeds -->", listed)
    # Markdown would end the HTML at a blank line.
    body = re.sub(r"\n\s*\n", "\n", body)
    report = f'<div class="report">\n{body}\n</div>'
    return markdown.replace("<!-- the report -->", report)


def _seed_list(seeds: Sequence[int]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def tutorial_pages(path: Path) -> dict[str, str | bytes]:
    """Converts a notebook into a page and its pictures, `{path: content}`."""
    executed = EXECUTED / path.name
    notebook = json.loads((executed if executed.exists() else path).read_text())
    pages: dict[str, str | bytes] = {}
    parts = []
    for cell in notebook["cells"]:
        source = _text(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(mathml(source))
            continue
        if "find_spec" in source and "%matplotlib" in source:
            continue  # the setup cell is for notebooks only
        parts.append(f"```python\n{source}\n```")
        for output in _joined(cell["outputs"]):
            shown = _output(output, f"{path.stem}-{len(pages) + 1}.png")
            if shown is None:
                continue
            text, picture = shown
            parts.append(text)
            if picture:
                pages[f"tutorials/{path.stem}-{len(pages) + 1}.png"] = picture
    if not executed.exists():
        note = "!!! note\n    Built without outputs: run `tutorials/build.py --run`."
        parts.insert(1, note)
    return pages | {f"tutorials/{path.stem}.md": "\n\n".join(parts) + "\n"}


def tutorials_index() -> str:
    """Lists the tutorials with their questions."""
    lines = [
        "# Tutorials",
        "",
        "Each asks one question. The pages here show the solutions with their outputs;",
        "the exercises are the notebooks of the same name in `tutorials/`.",
        "",
        "| | question | processor seconds |",
        "|---|---|---|",
    ]
    file = ROOT / "tutorials" / "seconds.json"
    seconds = json.loads(file.read_text()) if file.exists() else {}
    for path in sorted(TUTORIALS.glob("*.ipynb")):
        cells = json.loads(path.read_text())["cells"]
        title = _text(cells[0]["source"]).splitlines()[0].removeprefix("# ")
        number, question = title.split(". ", 1)
        measured = seconds.get(path.stem, "")
        lines.append(f"| {number} | [{question}]({path.stem}.md) | {measured} |")
    return "\n".join(lines) + "\n"


def card_pages() -> dict[str, str | bytes]:
    """Copies the data cards and their pictures, and lists them."""
    pages: dict[str, str | bytes] = {}
    lines = ["# Data cards", "", "One card for each data set.", ""]
    for path in sorted(CARDS.glob("*.md")):
        pages[f"cards/{path.name}"] = path.read_text()
        lines.append(f"- [{path.stem}]({path.name})")
    for path in [*CARDS.glob("*.png"), *CARDS.glob("*.json")]:
        pages[f"cards/{path.name}"] = path.read_bytes()
    return pages | {"cards/index.md": "\n".join(lines) + "\n"}


def networks_page() -> str:
    """Lists the shipped networks from their records."""
    lines = [
        "# Networks",
        "",
        "The shipped micro networks, each with the trial that trained it. They were",
        "trained on drawings only, and are not for diagnosis. Model cards: "
        + ", ".join(f"[{name}]({name}.md)" for name in model_cards())
        + ".",
        "",
        "| data set | network | start | shortcut | data | training images | steps "
        "| seed | test AUROC |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for path in sorted(ZOO.glob("*/*.json")) + sorted(ZOO.glob("*/*/*.json")):
        record = json.loads(path.read_text())
        trial, measured = record["trial"], record["measured"]
        lines.append(
            f"| {trial['dataset']} | {trial['model']} | {trial['initialisation']} "
            f"| {'none' if trial['shortcut'] is None else trial['shortcut']} "
            f"| {trial['regime']:.0%} "
            f"| {measured['train_images']} | {trial['steps']} | {trial['seed']} "
            f"| {measured['test']['auroc']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def model_cards() -> dict[str, Path]:
    """Finds the model cards, `{"fundus": path, "fundus-shortcut": path}`."""
    paths = sorted(ZOO.glob("*/README.md")) + sorted(ZOO.glob("*/*/README.md"))
    return {"-".join(path.parent.relative_to(ZOO).parts): path for path in paths}


def mathml(text: str) -> str:
    """Converts `$$...$$` and `$...$` to MathML, which browsers show without scripts."""
    from latex2mathml.converter import convert

    def display(found: re.Match[str]) -> str:
        return "\n\n" + convert(" ".join(found[1].split()), display="block") + "\n\n"

    text = re.sub(r"\$\$(.+?)\$\$", display, text, flags=re.S)
    return re.sub(r"\$([^$\n]+)\$", lambda found: convert(found[1]), text)


def _joined(outputs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Joins consecutive prints; the kernel may send them in parts."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.get("name") == "stdout" == last.get("name"):
            both = _text(last["text"]) + _text(output["text"])
            joined[-1] = last | {"text": both}
        else:
            joined.append(dict(output))
    return joined


def _output(output: Mapping[str, Any], name: str) -> tuple[str, bytes | None] | None:
    """Returns the Markdown of an output, and its picture if it has one."""
    if output["output_type"] == "stream":
        if output["name"] == "stderr" or not _text(output["text"]).strip():
            return None  # messages of libraries
        return f"```text\n{_text(output['text']).rstrip()}\n```", None
    data = output.get("data", {})
    if "image/png" in data:
        picture = base64.b64decode(data["image/png"])
        return f"![Figure of the cell above]({name})", picture
    if "text/html" in data:
        return _text(data["text/html"]), None
    if "text/plain" in data:
        return f"```text\n{_text(data['text/plain'])}\n```", None
    return None


def _text(source: str | Sequence[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
