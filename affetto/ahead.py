"""Making things in one thread while they are used in another."""

from collections.abc import Callable, Generator, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")

WAIT_S = 0.1  # between looks at whether the other side is still there


def made_ahead(items: Iterator[Item], *, depth: int = 4) -> Generator[Item, None, None]:
    """The same items in the same order, up to `depth` of them made before they are asked for.

    What goes wrong while they are made is raised here; who stops asking stops the making.
    """
    ready: Queue[Item | BaseException | None] = Queue(maxsize=depth)
    gone = Event()

    def put(item: Item | BaseException | None) -> bool:
        while not gone.is_set():
            try:
                ready.put(item, timeout=WAIT_S)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where it is asked for
            put(error)
        else:
            put(None)

    thread = Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        gone.set()
        thread.join()


def begun(work: Callable[[], Item]) -> Callable[[], Item]:
    """Start work in a thread of its own; the answer, when called, waits and gives what came of it.

    Who never asks does not wait for it either; what goes wrong is raised where it is asked for.
    """
    done: list[Item] = []
    failed: list[BaseException] = []

    def do() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is asked for
            failed.append(error)

    thread = Thread(target=do, daemon=True)
    thread.start()

    def result() -> Item:
        thread.join()
        if failed:
            raise failed[0]
        return done[0]

    return result
