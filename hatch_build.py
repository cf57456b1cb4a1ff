"""README.md as a package index shows it, where a relative link would lead nowhere."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class AbsoluteLinks(MetadataHookInterface):
    """With ``[project.urls] Source``, relative links and pictures become that repository's; without, they stay."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme``."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        if source := metadata.get("urls", {}).get("Source"):

            def absolute(link: re.Match[str]) -> str:
                # A page is shown, a picture is the file itself.
                return f"]({source.rstrip('/')}/{'raw' if link[1].endswith('.png') else 'blob'}/HEAD/{link[1]})"

            text = re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", absolute, text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
