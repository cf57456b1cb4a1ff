"""Write docs/gallery.md: every recipe of configs/, drawn and told by the preview itself.

python docs/make_gallery.py
"""

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

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

HEAD = """# Gallery of recipes

Every file of `configs/`, which all train (`python examples/digits.py fit --config configs/NAME.yaml`), drawn by
`python -m lightning_warmup preview`. Written by `make gallery`; a test fails when a number here is no longer what the
callback uses. The shapes one by one: [shapes.md](shapes.md).
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


def main() -> None:
    """Write the page and its pictures."""
    PAGE.write_text("".join(sections()), encoding="utf-8")
    for path in configs():
        save_previews([preview_of(path)], IMAGES / f"gallery_{path.stem}.png")


if __name__ == "__main__":
    sys.exit(main())
