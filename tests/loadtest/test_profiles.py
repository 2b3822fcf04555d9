"""Profiles: each problem is named with its place; the shipped ones are right."""

import time
from itertools import count
from pathlib import Path

import pytest

import loadtest
from deploy.dev.environment import CALLERS
from loadtest import checks, plan, profile, runner, slo
from loadtest.answers import Signer
from loadtest.errors import LoadtestError
from loadtest.profile import SIGNED
from loadtest.target import Target

HERE = Path(loadtest.__file__).parent
PROFILES = sorted((HERE / "profiles").glob("*.toml"))
GOOD = (HERE / "profiles" / "smoke.toml").read_text(encoding="utf-8")

WRONG = {
    "not TOML": ("schema = 1", "schema = ", "is not TOML"),
    "unknown field": ("seed = 6", "sead = 6", "sead: Extra inputs are not permitted"),
    "future schema": ("schema = 1", "schema = 2", "schema: Input should be 1"),
    "text for a number": ("seconds = 2", 'seconds = "2"', "phases.1.seconds: "),
    "no time": ("seconds = 2", "seconds = 0", "phases.1.seconds: Input should be greater than 0"),
    "unknown method": ('"stream"', '"steam"', "calls.1.method: Input should be 'unary'"),
    "unknown payload": ('payload = "transfer"', 'payload = "x"', "calls.2.payload: Value error"),
    "unknown reason": ("LIMIT_PER_REQUEST", "TOO_MUCH", "calls.3.expect: Value error, TOO_MUCH"),
    "batch of nothing": ("batch = 4", "batch = 0", "calls.2.batch: "),
    "batch too large": ("batch = 4", "batch = 257", "calls.2.batch: "),
    "batch without the method": ('method = "batch"', "", "calls.2: Value error, batch = 4"),
    "doubled name": ('"order-stream"', '"order"', "two of them have the same name"),
    "nothing measured": ("rate = 100\n\n[sweep]", "rate = 1\nmeasured = false\n[sweep]", "none is"),
    "sweep that stays": ("factor = 2.0", "factor = 1.0", "sweep.factor: "),
}


@pytest.mark.parametrize(("old", "new", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_problem_is_named_with_file_and_place(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    """A wrong profile is refused with the file, the place in it and what is wrong."""
    assert old in GOOD
    path = tmp_path / "wrong.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(LoadtestError) as caught:
        profile.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Two problems give two lines."""
    path = tmp_path / "wrong.toml"
    path.write_text(GOOD.replace("seed = 6", 'seed = "6"\nsead = 6'), encoding="utf-8")
    with pytest.raises(LoadtestError) as caught:
        profile.load(path)
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_profile_is_one_line(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(LoadtestError, match=r"none\.toml: No such file"):
        profile.load(tmp_path / "none.toml")


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_shipped_profile_expects_what_the_policy_decides(path: Path, signer: Signer) -> None:
    """Each call of a shipped profile gets, by the shipped policy, the outcome it expects."""
    found = profile.load(path)
    task = plan.Task(
        found, Target("", Path()), "run", 0, int(time.time()) + runner.PAYLOAD_LIFETIME, {}
    )
    serials = count()
    for call in found.calls:
        for request in (plan.request_of(task, call, next(serials), item) for item in range(2)):
            result = signer.result(CALLERS[call.client], request)
            outcome = SIGNED if result.HasField("response") else checks.reason_of(result.error)
            assert (call.name, outcome) == (call.name, call.expect)


@pytest.mark.parametrize("path", sorted((HERE / "slo").glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_file_of_objectives_is_right(path: Path) -> None:
    """Each shipped file of objectives can be read."""
    assert slo.load(path).objectives


def test_scaling_multiplies_every_rate() -> None:
    """A scaled profile has the same phases at other rates."""
    found = profile.load(HERE / "profiles" / "mix.toml").scaled(0.5)
    assert [(phase.rate, phase.end_rate) for phase in found.phases][1] == (50.0, 150.0)
