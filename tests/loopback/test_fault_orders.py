"""Orders of faults: each strike is used up once, whichever server it falls to; and the server's own `/_faults`."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tasker_release_pipeline.loopback.faults import Fault, FaultKind, RequestKind
from tasker_release_pipeline.loopback.orders import Order, order, orders, strike, strike_file, withdraw
from tasker_release_pipeline.loopback.server import serve
from tasker_release_pipeline.release.endpoints import RegistryName

from .actions import ALL, CARGO, NPM, base

DOWN = Fault(request=RequestKind.UPLOAD, kind=FaultKind.ANSWER, status=500)


def test_over_two_servers_each_strike_is_used_up_exactly_once(tmp_path):
    order(tmp_path, DOWN.model_copy(update={"times": 5}))
    with ExitStack() as stack:
        servers = [stack.enter_context(serve(tmp_path, reserved={}, token="secret")) for _ in range(2)]
        clients = [stack.enter_context(httpx.Client(timeout=60, trust_env=False)) for _ in range(6)]

        def publish(at: int) -> list[int]:
            tried = [NPM.publish(clients[at], servers[(at + n) % 2], f"{at}.{n}.0").status_code for n in range(3)]
            return [status for status in tried if status == 500]

        with ThreadPoolExecutor(len(clients)) as pool:
            struck = sum(map(len, pool.map(publish, range(len(clients)))))
        assert struck == 5
        assert [(placed.struck, placed.left) for placed in orders(tmp_path)] == [(5, 0)]
        assert len(NPM.held(clients[0], servers[0])) == 6 * 3 - 5


def test_of_simultaneous_takers_of_the_last_strike_one_gets_it(tmp_path):
    order(tmp_path, DOWN)
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: strike(tmp_path, 1), range(16))) == 1
    placed = order(tmp_path, Fault(request=RequestKind.INDEX, kind=FaultKind.LATE, seconds=9, times=1))
    with ThreadPoolExecutor(16) as pool:
        struck = list(pool.map(lambda at: (strike_file(tmp_path, placed, f"file {at % 4}"), at % 4), range(16)))
    # One file is struck, by whoever asks for it, and no other.
    assert {at for was_struck, at in struck if was_struck} == {struck[[w for w, _ in struck].index(True)][1]}
    assert sum(was_struck for was_struck, _ in struck) == 4


def test_simultaneous_orders_are_all_placed(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: order(tmp_path, DOWN), range(16)))
    assert [placed.number for placed in orders(tmp_path)] == list(range(1, 17))


def test_orders_hold_in_later_servers_and_stay_as_a_record(tmp_path, client):
    with serve(tmp_path, reserved={}, faults=[DOWN.model_copy(update={"times": 2})]) as first:
        assert CARGO.publish(client, first).status_code == 500
    with serve(tmp_path, reserved={}) as second:
        assert [CARGO.publish(client, second).status_code for _ in range(2)] == [500, 200]
    (placed,) = orders(tmp_path)
    assert (placed.struck, placed.left, placed.fault.times) == (2, 0, 2)


def test_a_process_that_is_killed_while_it_changes_an_order_blocks_nobody(tmp_path):
    placed = order(tmp_path, DOWN)
    script = (
        "import sys, time; from pathlib import Path\n"
        "from tasker_release_pipeline.loopback import orders\n"
        "orders.replace = lambda *_: (print('in the middle', flush=True), time.sleep(600))\n"
        "orders.strike(Path(sys.argv[1]), 1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in the middle\n"
        os.kill(process.pid, signal.SIGKILL)
    assert orders(tmp_path) == [placed]
    assert strike(tmp_path, 1)


def test_without_orders_nothing_is_written(tmp_path, client):
    with serve(tmp_path, reserved={}) as registries:
        for actions in ALL:
            assert actions.publish(client, registries).is_success
            assert list(actions.shown(client, registries)) == ["1.0.0"]
        assert client.get(f"{base(registries)}/_faults").json() == []
    assert not (tmp_path / "faults").exists()


def test_a_withdrawn_order_no_longer_strikes(tmp_path):
    placed = [order(tmp_path, DOWN) for _ in range(3)]
    assert withdraw(tmp_path, 2) == 1
    assert orders(tmp_path) == [placed[0], placed[2]]
    assert not strike(tmp_path, 2)
    assert (withdraw(tmp_path), orders(tmp_path), withdraw(tmp_path)) == (2, [], 0)


def test_the_running_server_takes_orders_tells_of_them_and_gives_them_up(registries, client):
    url = f"{base(registries)}/_faults"
    answer = client.post(url, json=["npm:upload:500x2; any:index:late=9", {"request": "upload", "kind": "drop-after"}])
    assert answer.status_code == 201
    assert [placed["number"] for placed in answer.json()] == [1, 2, 3]
    assert NPM.publish(client, registries).status_code == 500
    first, *others = client.get(url).json()
    assert first | {"at": ""} == {
        "words": "npm:upload:500x2", "number": 1, "at": "", "struck": 1, "left": 1, "let_through": 0,
        "full_again": None, "files": [],
        "fault": {
            "registry": "npm", "request": "upload", "kind": "answer", "package": "", "seconds": 0, "status": 500,
            "retry_after": None, "retry_after_date": False, "accepted": 1, "times": 2,
        },
    }  # fmt: skip
    assert [placed["words"] for placed in others] == ["any:index:late=9", "any:upload:drop-after"]
    assert client.delete(f"{url}/1").json() == {"withdrawn": 1}
    assert client.delete(f"{url}/1").status_code == 404
    assert client.delete(url).json() == {"withdrawn": 2}
    assert NPM.publish(client, registries).is_success


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"npm:upload:500", "not JSON"),
        (b'["npm:upload:500", "npm:upload:503", "npm:upload:nonsense"]', "unknown fault `nonsense`"),
        (b'{"request": "upload"}', "kind: Field required"),
        (b'{"request": "upload", "kind": ["late"]}', "kind: "),
        (b'{"request": "upload", "kind": "drop-after", "tiems": 2}', "tiems: Extra"),
        (b"17", "fault 17: "),
        (b"null", "fault null: "),
    ],
)
def test_an_order_that_can_not_be_read_is_refused_and_none_of_it_is_placed(registries, client, body, words):
    answer = client.post(f"{base(registries)}/_faults", content=body)
    assert (answer.status_code, words in answer.json()["error"]) == (400, True), answer.text
    assert orders(registries.root) == []


def test_an_order_comes_back_from_its_file_as_it_was_placed(tmp_path):
    fault = Fault(
        registry=RegistryName.NPM, request=RequestKind.UPLOAD, kind=FaultKind.ANSWER, status=429, retry_after=3
    )
    placed = order(tmp_path, fault)
    assert isinstance(placed, Order)
    assert orders(tmp_path) == [placed]
