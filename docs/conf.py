"""How Sphinx makes the site, which `make docs` puts into docs/_build: read docs/_build/index.html.

The pages are the files that a code host shows, where they lie: the README is the first, and every link between them
leads to the same place here and there. Nothing is loaded from elsewhere: formulas become MathML, which browsers draw.
"""

import shutil
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

project = "lightning_warmup"
copyright = "lightning_warmup's authors, MIT License"  # noqa: A001  # Sphinx's name for it
html_title = "lightning_warmup"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/reference/*.rst"]
exclude_patterns = [".*", "**/_build", "**/__pycache__", "runs"]  # not looked into

CONTENTS = {  # in the order of a user's questions
    "Begin": [
        "Start <self>",
        "Which schedule? <docs/which_schedule>",
        "Gallery of recipes <docs/gallery>",
        "Shapes and recipes <docs/shapes>",
        "In YAML <docs/yaml>",
        "Resume <docs/resume>",
        "Continue and branch <docs/branches>",
        "End with the clock <docs/clock>",
        "Logging <docs/logging>",
    ],
    "Beside what you have": [
        "An existing scheduler <docs/existing_scheduler>",
        "Migrating <docs/migrating>",
        "Other people's projects <docs/projects>",
        "Examples <docs/examples>",
    ],
    "Look closer": [
        "Adaptive warmups <docs/adaptive>",
        "Evidence <docs/evidence>",
        "Guarantees <docs/guarantees>",
        "Performance <docs/performance>",
    ],
    "Look up": [
        "Callbacks <docs/reference/callbacks>",
        "Warmups <docs/reference/warmups>",
        "Decays <docs/reference/decays>",
        "Targets <docs/reference/targets>",
        "Measuring <docs/reference/measuring>",
        "Changelog <CHANGELOG>",
        "Contributing <CONTRIBUTING>",
    ],
}

nitpicky = True  # a reference that leads nowhere is a warning, and `make docs` makes errors of those
nitpick_ignore_regex = [  # of other packages, and of the inside
    ("py:.*", r"(torch|collections|pathlib|lightning_warmup\.(schedule|view))\..*"),
    ("py:.*", "Figure|Axes|MisconfigurationException"),
]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_math_renderer = "mathml"
html_theme = "furo"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
highlight_language = "python"


def add_contents(app: Sphinx, docname: str, source: list[str]) -> None:  # noqa: ARG001  # Sphinx's order
    """The README has no table of contents on a code host, and the site's has."""
    if docname == root_doc:
        for caption, pages in CONTENTS.items():
            source[0] += "\n".join(["\n```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```\n"])


def add_index(app: Sphinx, exception: Exception | None) -> None:
    """A host of sites looks for this name."""
    if exception is None and app.builder.name == "html":
        shutil.copy(Path(app.outdir, "README.html"), Path(app.outdir, "index.html"))


def inline_formula(self: HTML5Translator, node: nodes.math) -> None:
    """A formula within a line."""
    self.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def block_formula(self: HTML5Translator, node: nodes.math_block) -> None:
    """A formula on a line of its own."""
    formula = tex2mathml(node.astext(), as_block=True)
    self.body.append(f'<div class="formula">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """What Sphinx calls."""
    app.connect("source-read", add_contents)
    app.connect("build-finished", add_index)
    app.add_html_math_renderer("mathml", inline_renderers=(inline_formula, None), block_renderers=(block_formula, None))
