"""Learning rates that are tensors are written in place."""

from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lightning_warmup import LearningRateWarmup
from runs import Line, RecordingSGD, fit


class Watched(Line):
    """Remembers the lr entries of its optimizer, before and after."""

    def configure_optimizers(self) -> Any:
        optimizer = super().configure_optimizers()
        self.entries = [group["lr"] for group in optimizer.param_groups]
        return optimizer


def groups(module: Line) -> list[dict[str, Any]]:
    return [{"params": [module.weight], "name": "w"}, {"params": [module.bias], "name": "b"}]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("settings", [{"fused": True}, {"foreach": False}], ids=["fused", "for"])
def test_identity_and_type_are_kept(settings: dict[str, Any], dtype: torch.dtype) -> None:
    one = torch.tensor(0.1, dtype=dtype)
    module = Watched(lambda m: torch.optim.Adam(groups(m), lr=one, **settings))
    seen: list[float] = []
    module.on_before_optimizer_step = lambda optimizer: seen.append(optimizer.param_groups[1]["lr"].item())  # type: ignore[method-assign]
    callback = LearningRateWarmup(5, "cosine")
    fit(callback, module, max_epochs=2)
    entries = [group["lr"] for group in module.trainer.optimizers[0].param_groups]
    assert all(entry is one for entry in entries)
    assert one.dtype == dtype
    expected = callback.values(float(one.new_tensor(0.1)), total_steps=20, steps_per_epoch=10)
    assert seen == pytest.approx(expected, rel=1e-7 if dtype == torch.float32 else 1e-15)


def test_a_shared_tensor_cannot_hold_two_values() -> None:
    module = Line(lambda m: torch.optim.Adam(groups(m), lr=torch.tensor(0.1)))
    with pytest.raises(MisconfigurationException, match="share one 'lr' tensor"):
        fit(LearningRateWarmup(5, target_lr={"w": 0.1, "b": 0.2}), module, max_epochs=1)


def test_a_tensor_of_its_own_for_each_group() -> None:
    def configure(module: Line) -> RecordingSGD:
        return RecordingSGD([{**group, "lr": torch.tensor(0.1)} for group in groups(module)], lr=0.1)

    module = Line(configure)
    fit(LearningRateWarmup(5, target_lr={"w": 0.1, "b": 0.2}), module, max_epochs=1)
    optimizer = module.trainer.optimizers[0]
    assert optimizer.lrs(1) == pytest.approx([2 * lr for lr in optimizer.lrs(0)], rel=1e-6)


def test_another_writer_of_a_tensor_is_noticed() -> None:
    module = Line(lambda m: torch.optim.Adam(groups(m), lr=torch.tensor(0.1)))
    module.on_train_batch_start = lambda *_: module.trainer.optimizers[0].param_groups[0]["lr"].fill_(9.0)  # type: ignore[method-assign]
    with pytest.warns(UserWarning, match="Something else wrote 'lr'"):
        fit(LearningRateWarmup(5), module, max_epochs=1)
    assert float(module.trainer.optimizers[0].param_groups[0]["lr"]) == pytest.approx(0.1)


def test_a_tensor_in_the_place_of_a_float_stays() -> None:
    put = torch.tensor(9.0, dtype=torch.float64)

    class Puts(Line):
        def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
            if batch_idx == 3:
                self.trainer.optimizers[0].param_groups[0]["lr"] = put

    callback = LearningRateWarmup(5, "cosine")
    with pytest.warns(UserWarning, match="Something else wrote 'lr'"):
        module = fit(callback, Puts(), max_epochs=1)
    assert module.trainer.optimizers[0].param_groups[0]["lr"] is put
    assert module.used == callback.values(0.1, total_steps=10, steps_per_epoch=10)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method. is deprecated")
def test_a_compiled_step_compiles_once() -> None:
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    class Compiled(Line):
        """Steps a compiled optimizer of its own with the learning rate entry that it finds."""

        def __init__(self, lr: Any) -> None:
            super().__init__(lambda m: torch.optim.SGD(m.parameters(), lr=lr))
            parameter = torch.nn.Parameter(torch.ones(3))
            parameter.grad = torch.ones(3)
            self.compiled = torch.optim.SGD([parameter], lr=lr)

        def on_train_start(self) -> None:
            torch._dynamo.reset()
            graphs.clear()
            self.step = torch.compile(self.compiled.step, backend=backend)

        def on_train_batch_start(self, *_: Any) -> None:
            self.compiled.param_groups[0]["lr"] = self.trainer.optimizers[0].param_groups[0]["lr"]
            self.step()

    # A float is part of the graph: this is what the test would see if the tensor were replaced by one.
    fit(LearningRateWarmup(10), Compiled(0.1), max_epochs=2)
    assert len(graphs) == 2
    fit(LearningRateWarmup(10), Compiled(torch.tensor(0.1)), max_epochs=2)
    assert len(graphs) == 1


def test_a_float_that_becomes_a_tensor_of_the_same_value_is_nobody_elses_doing() -> None:
    class ToTensor(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            group = trainer.optimizers[0].param_groups[0]
            group["lr"] = self.put = torch.tensor(group["lr"])

    to_tensor = ToTensor()
    callback = LearningRateWarmup(5, "cosine")
    module = fit([callback, to_tensor], max_epochs=2)  # warnings are errors
    assert module.trainer.optimizers[0].param_groups[0]["lr"] is to_tensor.put
    assert module.used == pytest.approx(callback.values(0.1, total_steps=20, steps_per_epoch=10), rel=1e-6)


def test_one_float_among_a_hundred_tensors() -> None:
    class Puts(Line):
        def __init__(self) -> None:
            super().__init__(
                lambda m: RecordingSGD([{"params": [p], "lr": torch.tensor(0.1)} for p in m.parameters()], lr=0.1)
            )
            self.more = torch.nn.ParameterList([torch.nn.Parameter(torch.zeros(1)) for _ in range(100)])

        def on_before_optimizer_step(self, optimizer: Any) -> None:
            optimizer.param_groups[1]["lr"] = 0.5

    callback = LearningRateWarmup(5)
    with pytest.warns(UserWarning, match="Something else wrote 'lr' of the param group 'group 1' after step 1"):
        module = fit(callback, Puts(), max_epochs=1)
    assert module.used == pytest.approx(callback.values(0.1, total_steps=10, steps_per_epoch=10), rel=1e-6)
