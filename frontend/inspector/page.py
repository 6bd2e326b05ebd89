"""One page that shows a run of the pipeline: self-contained, without a request to anywhere."""

from __future__ import annotations

import html
import json
from importlib.resources import files
from string import Template

from kerac.inspector.report import Report

SCRIPTS = ("page_picture.js", "page_text.js", "page.js")


def page_text(report: Report) -> str:
    """The page as HTML."""
    template = Template(_resource("page.html"))
    title = f"{report.first.graph.name}: what the compiler did"
    return template.substitute(
        title=html.escape(title),
        style=_resource("page.css"),
        script="\n".join(map(_resource, SCRIPTS)),
        data=_script_data(report),
    )


def _script_data(report: Report) -> str:
    # names come from model files: none may end the element that holds them
    text = json.dumps(report.page_data(), ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _resource(name: str) -> str:
    return files("kerac.inspector").joinpath(name).read_text(encoding="utf-8")
