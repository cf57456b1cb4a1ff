"""Every form of duration, through the length of a constant warmup from 0 to 1: as many zeros as it is long."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_warmup import (
    ConstantWarmup,
    CosineWarmup,
    LearningRateWarmup,
    LinearWarmup,
    MultiStepDecay,
    StepDecay,
)
from refusals import refused
from shapes import WARMUPS, with_fields


def length(duration, *, steps=1000, steps_per_epoch=100, batch_size=None, **parameters):
    """How many optimizer steps ``duration`` lasts."""
    callback = LearningRateWarmup(ConstantWarmup(duration), warmup_initial_lr=0.0, **parameters)
    lrs = callback.values(1.0, total_steps=steps, steps_per_epoch=steps_per_epoch, batch_size=batch_size)
    assert lrs == sorted(lrs)
    return lrs.count(0.0)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (1, 1),
        (50, 50),
        (1000, 1000),
        (0.05, 50),
        (0.999, 999),
        ("5%", 50),
        ("0.1%", 1),
        ("100%", 1000),
        ("500 steps", 500),
        ("1 step", 1),
        ("2 epochs", 200),
        ("1 epoch", 100),
        ("0.5 epochs", 50),
        ("1600 samples", 50),
        ("32 samples", 1),
    ],
)
def test_every_form_counts_steps(duration, expected):
    assert length(duration, batch_size=32) == expected


@pytest.mark.parametrize(
    ("duration", "epochs"),
    [
        (1, 1),
        (2, 2),
        (0.2, 2),
        ("20%", 2),
        ("100%", 10),
        ("200 steps", 2),
        ("2 epochs", 2),
        ("6400 samples", 2),
        ("1.5 epochs", 2),
        ("149 steps", 1),
        ("150 steps", 2),
        (0.14, 1),
        (0.15, 2),
    ],
)
def test_every_form_counts_epochs(duration, epochs):
    assert length(duration, batch_size=32, interval="epoch") == epochs * 100


@pytest.mark.parametrize(("duration", "epochs"), [("50%", 2), ("100%", 3), (0.34, 1)])
def test_a_last_epoch_that_is_cut_short_is_an_epoch(duration, epochs):
    assert length(duration, steps=250, interval="epoch") == min(epochs * 100, 250)


@pytest.mark.parametrize("duration", [0, 0.0, "0%", "0.0%", "0 steps", "0 epochs", "0 samples"])
@pytest.mark.parametrize("interval", ["step", "epoch"])
def test_nothing_is_none_at_all(duration, interval):
    assert length(duration, interval=interval) == 0


@pytest.mark.parametrize(
    "duration",
    ["2 epochs", "2 EPOCHS", "2 Epochs", "2 epoch", "2epochs", " 2  epochs ", "2.0 epochs", "20e-1 epochs", "200 STEP"],
)
def test_case_plural_and_blanks_are_free(duration):
    assert length(duration) == 200


@pytest.mark.parametrize(
    ("duration", "steps", "expected"),
    [
        # What binary floating point gets wrong: 0.29 * 100 = 28.999…, 0.57 * 100 = 56.999…, 0.07 * 100 = 7.000…1.
        (0.29, 100, 29),
        ("29%", 100, 29),
        (0.57, 100, 57),
        (0.07, 100, 7),
        # Half goes up, never to even, and never down.
        (0.145, 100, 15),
        ("14.5%", 100, 15),
        (0.285, 100, 29),
        ("14.4%", 100, 14),
        (0.144, 100, 14),
        (0.125, 100, 13),
        (0.5, 5, 3),
        (0.5, 1, 1),
        (0.005, 100, 1),
        ("0.5 steps", 100, 1),
        ("1.5 steps", 100, 2),
        ("2.5 steps", 100, 3),
        ("2.4999 steps", 100, 2),
        ("1.005 epochs", 400, 101),
        ("1.004 epochs", 400, 100),
        ("48 samples", 100, 2),
        ("47 samples", 100, 1),
    ],
)
def test_rounds_half_up_what_was_written(duration, steps, expected):
    assert length(duration, steps=steps, batch_size=32) == expected


@settings(deadline=None)
@given(permille=st.integers(0, 999), steps=st.integers(1, 400))
def test_rounds_half_up_exactly(permille, steps):
    expected = (2 * permille * steps + 1000) // 2000
    for share in (permille / 1000, f"{permille / 10}%"):
        if permille and not expected:
            with refused(f"duration={share!r}", "write 0 for none"):
                length(share, steps=steps)
        else:
            assert length(share, steps=steps) == expected


@settings(deadline=None)
@given(hundredths=st.integers(0, 300), steps_per_epoch=st.integers(1, 60))
def test_parts_of_an_epoch_round_half_up_exactly(hundredths, steps_per_epoch):
    expected = (2 * hundredths * steps_per_epoch + 100) // 200
    duration = f"{hundredths / 100} epochs"
    if hundredths and not expected:
        with refused(f"duration={duration!r}", "write 0 for none"):
            length(duration, steps=200, steps_per_epoch=steps_per_epoch)
    else:
        assert length(duration, steps=200, steps_per_epoch=steps_per_epoch) == expected


# --- bad input -------------------------------------------------------------------------------------------------------

BAD = [
    -1,
    -0.5,
    1.5,
    math.nan,
    math.inf,
    -math.inf,
    True,
    False,
    [5],
    "",
    "5",
    "0.5",
    "%",
    "steps",
    "5 bananas",
    "-5 steps",
    "-5%",
    "nan steps",
    "inf epochs",
    "1,000 steps",
    "5 steps or so",
    "5 epochs 3 steps",
]

PARAMETERS = {
    "warmup": lambda value: LearningRateWarmup(value),
    "hold": lambda value: LearningRateWarmup(decay="cosine", hold=value),
    "decay_duration": lambda value: LearningRateWarmup(decay="cosine", decay_duration=value),
    "cooldown": lambda value: LearningRateWarmup(decay="cosine", cooldown=value),
    "total": lambda value: LearningRateWarmup(total=value),
    "MultiStepDecay(milestones": lambda value: MultiStepDecay([value]),
}
INSIDE_SHAPES = [(row.trained, "duration") for row in WARMUPS] + with_fields("every", "period", "timescale")
PARAMETERS |= {
    f"{type(shape).__name__}({field}": lambda value, shape=shape, field=field: replace(shape, **{field: value})
    for shape, field in INSIDE_SHAPES
}

every_parameter = pytest.mark.parametrize(
    ("parameter", "make"), PARAMETERS.items(), ids=[name.replace("(", "-") for name in PARAMETERS]
)


@every_parameter
@pytest.mark.parametrize("value", BAD, ids=repr)
def test_no_duration(parameter, make, value):
    with refused(f"{parameter}={value!r}", "500 steps", "5 epochs", "50000 samples", "10%", "float in (0, 1)"):
        make(value)


@every_parameter
def test_a_share_over_the_whole_run(parameter, make):
    with refused(f"{parameter}='150%'", "at most '100%'"):
        make("150%")


@every_parameter
def test_a_float_that_yaml_made_of_1e3(parameter, make):
    with refused(f"{parameter}=1000.0", "write 1000 or '1000 steps'"):
        make(1e3)


@every_parameter
def test_one_as_a_float_may_mean_two_things(parameter, make):
    with refused(f"{parameter}=1.0", "1 or '100%'"):
        make(1.0)


@pytest.mark.parametrize("parameter", ["warmup", "hold", "cooldown", "total"])
def test_none_is_no_duration(parameter):
    with refused(f"{parameter}=None", "500 steps"):
        LearningRateWarmup(**{"decay": "cosine", parameter: None})


@pytest.mark.parametrize("total", [0.5, "50%", "100%", 0, 0.0, "0 steps"])
def test_a_total_is_neither_a_share_of_itself_nor_nothing(total):
    with refused(f"LearningRateWarmup(total={total!r})", "10000", "'20 epochs'", "'auto'"):
        LearningRateWarmup(total=total)


@pytest.mark.parametrize("duration", [0.004, "0.4%", "0.49 steps", "0.004 epochs", "15 samples"])
@pytest.mark.parametrize("parameter", ["warmup", "hold", "decay_duration", "cooldown"])
def test_a_duration_that_would_round_to_nothing(parameter, duration):
    callback = LearningRateWarmup(**{"decay": "cosine", parameter: duration})
    with refused(f"LearningRateWarmup({parameter}={duration!r})", "write 0 for none, or at least one step"):
        callback.values(1.0, total_steps=100, steps_per_epoch=100, batch_size=32)


@pytest.mark.parametrize("duration", ["0.5 epochs", "0.99 epochs", "99 steps", 0.09, "9%", "3168 samples"])
@pytest.mark.parametrize("parameter", ["warmup", "hold", "decay_duration", "cooldown"])
def test_under_one_epoch_where_epochs_count(parameter, duration):
    callback = LearningRateWarmup(**{"decay": "cosine", parameter: duration}, interval="epoch")
    with refused(f"LearningRateWarmup({parameter}={duration!r})", "at least one epoch", "interval='step'"):
        callback.values(1.0, total_steps=1000, steps_per_epoch=100, batch_size=32)


def test_a_staircase_under_one_epoch():
    callback = LearningRateWarmup("0.5 epochs", warmup_interval="epoch")
    with refused("LearningRateWarmup(warmup='0.5 epochs')", "at least one epoch"):
        callback.values(1.0, total_steps=1000, steps_per_epoch=100)


def test_the_shape_is_named_where_the_duration_was_written():
    callback = LearningRateWarmup(CosineWarmup("0.5 epochs"), interval="epoch")
    with refused("CosineWarmup(duration='0.5 epochs')", "at least one epoch"):
        callback.values(1.0, total_steps=1000, steps_per_epoch=100)


@pytest.mark.parametrize(
    ("callback", "quoted"),
    [
        (LearningRateWarmup("64 samples"), "LearningRateWarmup(warmup='64 samples')"),
        (LearningRateWarmup(LinearWarmup("64 samples")), "LinearWarmup(duration='64 samples')"),
        (LearningRateWarmup(0, "cosine", cooldown="64 samples"), "LearningRateWarmup(cooldown='64 samples')"),
        (LearningRateWarmup(0, StepDecay("64 samples")), "StepDecay(every='64 samples')"),
        (LearningRateWarmup(total="64 samples"), "LearningRateWarmup(total='64 samples')"),
    ],
    ids=repr,
)
def test_samples_of_an_unknown_batch(callback, quoted):
    with refused(quoted, "batch_size=..."):
        callback.values(1.0, total_steps=100, steps_per_epoch=100)


def test_numpy_floats_are_floats():
    numpy = pytest.importorskip("numpy")
    assert length(numpy.float64(0.29), steps=100) == 29
