"""Items on a Ray cluster, or on a small one of this machine's own: an actor for each worker.

An actor keeps a `Worker`, so that limits and cancelling are what they are elsewhere. Ray starts a
dead actor again, on another node if need be; its item is given out anew, here. All nodes need the
same folders and the same Affetto.
"""

import logging
import os
import secrets
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from affetto.apps.batch.item import WORK, do_item
from affetto.apps.batch.job import Doing, Item, Limits, Outcome
from affetto.apps.worker import Worker
from affetto.errors import ResourceError

LOOK_S = 0.2
OBJECT_STORE_BYTES = 100_000_000  # items and outcomes are small
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}


class Actor:
    """One worker on some node."""

    def __init__(self, out: str, limits: Limits) -> None:
        self._out = Path(out).absolute()
        self._limits = limits
        self._worker = Worker(memory_mb=limits.memory_mb, performer=limits.performer)

    def ready(self) -> None:
        """Answer once the actor runs."""

    def do(self, item: Item, aside: str) -> Outcome:
        """Do an item."""
        return do_item(
            item,
            out=self._out,
            aside=Path(aside),
            worker=self._worker,
            limits=self._limits,
            doing=lambda *_: None,
        )


@dataclass(frozen=True)
class _Call:
    """What an actor was asked: an item for the n-th time, or whether it runs."""

    actor: Any
    item: Item | None
    attempt: int


def do_on_ray(
    items: Sequence[Item], *, out: Path, limits: Limits, workers: int | None, doing: Doing
) -> Generator[Outcome | None, None, None]:
    """See `affetto.apps.batch.job.Engine`; without RAY_ADDRESS a Ray of this machine's own.

    Raises:
        ResourceError: Ray is not installed, the cluster does not answer, or it cannot run this.
    """
    ray = _started(workers)
    try:
        count = min(workers or int(ray.cluster_resources().get("CPU", 1)), len(items))
        remote = ray.remote(num_cpus=1, max_restarts=-1)(Actor)
        actors = [remote.remote(str(out.absolute()), limits) for _ in range(count)]
        yield from _outcomes(ray, actors, items, out.absolute() / WORK / uuid4().hex, limits, doing)
    finally:
        ray.shutdown()  # ends this driver's actors, and a Ray of our own


def _outcomes(
    ray: Any,  # noqa: ANN401 - the module, which is optional
    actors: Sequence[Any],
    items: Sequence[Item],
    work: Path,
    limits: Limits,
    doing: Doing,
) -> Generator[Outcome | None, None, None]:
    waiting = deque((item, 1) for item in items)
    calls = {actor.ready.remote(): _Call(actor, None, 0) for actor in actors}
    left = len(items)
    while left:
        ended, _ = ray.wait(list(calls), num_returns=1, timeout=LOOK_S)
        for reference in ended:
            call = calls.pop(reference)
            try:
                outcome = ray.get(reference)
            except ray.exceptions.RayError as error:
                if getattr(error, "actor_init_failed", False):  # it would fail for ever
                    why = str(error).strip().rpartition("\n")[2]
                    raise ResourceError(
                        f"Ray's workers cannot run Affetto ({why}): all nodes need the same one"
                    ) from error
                outcome = _tried(call, error, waiting, limits)
                calls[call.actor.ready.remote()] = _Call(call.actor, None, 0)
            else:
                _give(call.actor, waiting, calls, work, doing)
            if outcome is not None:
                left -= 1
                yield outcome
        yield None


def _tried(
    call: _Call, error: Exception, waiting: deque[tuple[Item, int]], limits: Limits
) -> Outcome | None:
    """What becomes of an item whose actor died: it waits again, or has failed."""
    if call.item is None:
        return None
    if call.attempt <= limits.retries:
        waiting.appendleft((call.item, call.attempt + 1))
        return None
    died = ResourceError(f"its worker died {call.attempt} times ({type(error).__name__})")
    return call.item.ended(attempts=call.attempt, failure=died)


def _give(
    actor: Any,  # noqa: ANN401 - Ray's
    waiting: deque[tuple[Item, int]],
    calls: dict[Any, _Call],
    work: Path,
    doing: Doing,
) -> None:
    """Give an idle actor the next item, or keep it in sight while others may yet lose theirs."""
    if waiting:
        item, attempt = waiting.popleft()
        doing(item.id, item.do, 0.0)
        aside = work / f"{item.id}.{attempt}"
        calls[actor.do.remote(item, str(aside))] = _Call(actor, item, attempt)


def _started(workers: int | None) -> Any:  # noqa: ANN401 - the module, which is optional
    own = not os.environ.get("RAY_ADDRESS")
    # A Ray of our own listens on all addresses of the machine: nobody else may give it work.
    secret = {"RAY_AUTH_TOKEN": secrets.token_hex(32)} if own else {}
    for name, value in (SETTINGS | secret).items():
        os.environ.setdefault(name, value)  # read when Ray is imported
    try:
        import ray
    except ImportError as error:
        raise ResourceError(
            "--engine ray needs Ray: pip install 'affetto[ray]', or use --engine local"
        ) from error
    settings: dict[str, Any] = {
        "address": "local",
        "num_cpus": workers,
        "object_store_memory": OBJECT_STORE_BYTES,
        "include_dashboard": False,
        "_node_ip_address": "127.0.0.1",
    }
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **(settings if own else {}))
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise ResourceError(f"Ray does not start: {error}") from error
    return ray
