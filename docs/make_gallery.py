"""Write docs/gallery.md: every recipe of configs/, drawn and told by the preview itself.

python docs/make_gallery.py
"""

import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

from lightning_warmup import LearningRateWarmup, preview
from lightning_warmup.view import config_file
from lightning_warmup.view.plot import save_previews
from lightning_warmup.view.preview import Options, Preview, preview_of_file
from lightning_warmup.view.terminal import told

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "gallery.md"
IMAGES = ROOT / "docs" / "images"
IMAGES_TO_TRAIN_ON = 1197
FIRST = ["adamw_linear", "warmup_cosine", "warmup_stable_decay"]
"""What most are looking for."""


@dataclass(frozen=True)
class InPython:
    """A recipe of two optimizers, which no YAML of ours says alone: an example that trains, in manual optimization.

    Args:
        name: Its heading.
        example: The file in ``examples/``.
        comment: What it is, when to use it, and its source.
        numbers: What the names in its schedules stand for, as it runs by default.
        lrs: The optimizers' own, by the name that each schedule is drawn under; one schedule may serve all of them.
    """

    name: str
    example: str
    comment: str
    numbers: Mapping[str, int]
    lrs: Mapping[str, float]


IN_PYTHON = [
    InPython(
        "muon",
        "byte_transformer",
        "Muon for the matrices of the layers, AdamW for the rest (Jordan et al. 2024, https://kellerjordan.github.io/"
        "posts/muon/; the scale of its updates from Liu et al. 2025, arXiv 2502.16982), with warmup–stable–decay for"
        " both: one callback, and each optimizer's own lr.",
        {"steps": 400},
        {"Muon": 0.004, "AdamW": 0.002},
    ),
    InPython(
        "gan",
        "gan",
        "A GAN: two optimizers that do not take the same number of steps, and a schedule for each, by its own count;"
        " a rate for each as Heusel et al. 2017 (arXiv 1706.08500) have it.",
        {"batches": 2240},
        {"generator": 0.002, "discriminator": 0.001},
    ),
]

HEAD = """# Gallery of recipes

Every file of `configs/`, which all train (`python examples/digits.py fit --config configs/NAME.yaml`), drawn by
`python -m lightning_warmup preview`; at the end what takes two optimizers, in Python: [Muon beside AdamW](#muon) and
[a GAN](#gan). Written by `make gallery`; a test fails when a number here is no longer what the callback uses. The
shapes one by one: [shapes.md](shapes.md).
"""


def configs() -> list[Path]:
    """The recipes, in the order of the page."""
    paths = {path.stem: path for path in sorted((ROOT / "configs").glob("*.yaml"))}
    return [*(paths.pop(name) for name in FIRST), *paths.values()]


def preview_of(path: Path) -> Preview:
    """As examples/digits.py trains it."""
    content = config_file.load(path)
    batch_size = (content.get("data") or {}).get("batch_size", 32)
    lr = None if any(config_file.optimizers(content)) else 0.1
    per_epoch = -(-IMAGES_TO_TRAIN_ON // batch_size)
    epochs = None if (content.get("trainer") or {}).get("max_epochs") else 10
    return preview_of_file(path, [], Options(lr, per_epoch, epochs, batch_size=batch_size, steps_per_second=20))


def digest(preview: Preview) -> str:
    """What changes with any number of the picture."""
    numbers = "".join(f"{value:.12g} " for curve in preview.curves for value in (*curve.values, *curve.highest))
    return hashlib.sha256(numbers.encode()).hexdigest()[:16]


def sections() -> Iterator[str]:
    """The page, piece by piece."""
    yield HEAD + "\n"
    for path in configs():
        lines = path.read_text(encoding="utf-8").splitlines()
        comment = " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
        yaml = "\n".join(line for line in lines if not line.startswith("#"))
        preview = preview_of(path)
        yield f"""## {path.stem}

{comment}

![{path.stem}](images/gallery_{path.stem}.png)

[configs/{path.name}](../configs/{path.name}):

```yml
{yaml.rstrip()}
```

```text
{told([preview]).rstrip()}
```

<!-- the picture's numbers: {digest(preview)} -->

"""
    for recipe in IN_PYTHON:
        code, previews = in_python(recipe)
        yield f"""## {recipe.name}

{recipe.comment}

![{recipe.name}](images/gallery_{recipe.name}.png)

[examples/{recipe.example}.py](../examples/{recipe.example}.py):

```py
{code}
```

```text
{told(previews).rstrip()}
```

<!-- the picture's numbers: {" ".join(map(digest, previews))} -->

"""


def in_python(recipe: InPython) -> tuple[str, list[Preview]]:
    """The lines of an example that make its schedules and its optimizers, and what they do."""
    source = (ROOT / "examples" / f"{recipe.example}.py").read_text(encoding="utf-8")
    optimizers = re.search(r"^    def configure_optimizers.*?(?=\n\n)", source, re.MULTILINE | re.DOTALL)
    calls = re.findall(r"^    (\w+ = (LearningRateWarmup\(.*\)))$", source, re.MULTILINE)
    assert optimizers is not None
    code = "\n".join([dedent(optimizers[0]), "", "", *(line for line, _ in calls)])
    schedules = [eval(call, {"LearningRateWarmup": LearningRateWarmup, **recipe.numbers}) for _, call in calls]
    if len(schedules) == 1:
        return code, [preview(schedules, lr=recipe.lrs, total_steps=recipe.numbers["steps"])]
    shown = [
        replace(preview(schedule, lr=lr, total_steps=schedule._config.total), title=name)
        for schedule, (name, lr) in zip(schedules, recipe.lrs.items(), strict=True)
    ]
    return code, shown


def main() -> None:
    """Write the page and its pictures."""
    PAGE.write_text("".join(sections()), encoding="utf-8")
    for recipe in IN_PYTHON:
        save_previews(in_python(recipe)[1], IMAGES / f"gallery_{recipe.name}.png")
    for path in configs():
        save_previews([preview_of(path)], IMAGES / f"gallery_{path.stem}.png")


if __name__ == "__main__":
    sys.exit(main())
