"""Composes the JavaScript modules of a component into the one script Gradio takes.

A file is an ES module: it imports by name from other files, `import { find } from
"../common/dom.js";`, and exports functions and constants where it declares them. Gradio
runs one text per component, with `element`, `props`, `server`, `trigger` and `watch` as
its names, and serves no file of ours; so each module becomes the scope of one function,
and what it exports lies in one object, by file.
"""

import re
from functools import lru_cache
from pathlib import Path

APP = Path(__file__).parents[2]
IMPORT = re.compile(r'^import \{([^}]+)\} from "([^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(
    r"^export (?=(?:async function|function|const) (\w+))", re.MULTILINE
)


@lru_cache(maxsize=16)
def compose_script(start: Path) -> str:
    """Composes a script of a file and of all that it imports.

    Args:
        start: The file that runs; it comes last.

    Returns:
        The script, for `js_on_load` of a `gr.HTML`.

    Raises:
        ValueError: If a name is imported that its file does not export, or files import
            each other in a circle.
    """
    modules: dict[Path, str] = {}
    _add_module(start.resolve(), modules, ())
    return "\n".join(['"use strict";', "const modules = {};", *modules.values()])


def exported_names(source: str) -> list[str]:
    """Lists the names that a module exports, in their order."""
    return EXPORT.findall(source)


def imported_names(source: str) -> dict[str, list[str]]:
    """Lists the names that a module imports, by the file as it is written there."""
    return {
        file: [name.strip() for name in names.split(",") if name.strip()]
        for names, file in IMPORT.findall(source)
    }


def _add_module(path: Path, modules: dict[Path, str], above: tuple[Path, ...]) -> None:
    """Adds a file after those that it imports, each once."""
    if path in above:
        circle = " -> ".join(one.name for one in [*above, path])
        raise ValueError(f"JavaScript modules import each other in a circle: {circle}")
    if path in modules:
        return
    source = path.read_text("utf-8")
    heads = []
    for file, names in imported_names(source).items():
        other = (path.parent / file).resolve()
        _add_module(other, modules, (*above, path))
        unknown = set(names) - set(exported_names(other.read_text("utf-8")))
        if unknown:
            raise ValueError(
                f"{other.name} does not export this. Expected some of "
                f"{exported_names(other.read_text('utf-8'))}. Received: "
                f"{sorted(unknown)}, imported by {path.name}"
            )
        heads.append(f"const {{ {', '.join(names)} }} = modules[{_key(other)}];\n")
    body = EXPORT.sub("", IMPORT.sub("", source))
    exports = ", ".join(exported_names(source))
    modules[path] = (
        f"modules[{_key(path)}] = (() => {{\n{''.join(heads)}{body}"
        f"return {{ {exports} }};\n}})();"
    )


def _key(path: Path) -> str:
    return f'"{path.relative_to(APP)}"'
