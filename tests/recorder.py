"""What was logged."""

from lightning.pytorch.loggers.logger import DummyLogger


class Recorder(DummyLogger):
    def __init__(self) -> None:
        super().__init__()
        self.logged: dict[int | None, dict[str, float]] = {}

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:  # type: ignore[override]
        self.logged.setdefault(step, {}).update(metrics)

    def series(self, name: str) -> dict[int | None, float]:
        return {step: row[name] for step, row in self.logged.items() if name in row}
