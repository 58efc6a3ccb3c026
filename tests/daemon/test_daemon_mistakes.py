"""The socket, as mistaken, broken and hostile clients see it."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nasd import protocol
from nasd.protocol import ErrorCode
from tests.daemon.raw import PAGE, Raw, request

NO_REQUESTS = {
    "text": (b"hello\n", ErrorCode.PARSE),
    "bytes": (b"\xff\xfe\x00\n", ErrorCode.PARSE),
    "an empty line": (b"\n", ErrorCode.PARSE),
    "no UTF-8": (b'{"jsonrpc": "2.0", "method": "\xff"}\n', ErrorCode.PARSE),
    "a list": (b"[]\n", ErrorCode.INVALID_REQUEST),
    "half a list": (b"[\n", ErrorCode.INVALID_REQUEST),
    "too deep": (b'{"jsonrpc": "2.0", "method": "trial", "params": ' + b'{"a":' * 100_000 + b"\n", ErrorCode.PARSE),
    "another JSON-RPC": (b'{"jsonrpc": "1.0", "method": "status"}\n', ErrorCode.INVALID_REQUEST),
    "no method": (b'{"jsonrpc": "2.0"}\n', ErrorCode.INVALID_REQUEST),
    "a number for a method": (b'{"jsonrpc": "2.0", "method": 1}\n', ErrorCode.INVALID_REQUEST),
    "too large": (b"x" * (protocol.MAX_FRAME + 10) + b"\n", ErrorCode.TOO_LARGE),
}


class TestMistakes:
    """An error in a sentence; the connection lives on unless the framing itself is in doubt."""

    async def test_unknown_method(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            for method in ("frobnicate", "hello", "__init__", "_do_status", "", "x" * 10_000):
                answer = await raw.ask(request(method))
                assert answer["error"]["code"] == ErrorCode.UNKNOWN_METHOD
                assert "there are cancel_job" in answer["error"]["message"]
            assert "result" in await raw.ask(request("status"))

    @pytest.mark.parametrize(
        ("method", "params"),
        [
            ("trial", {}), ("trial", {"number": "1"}), ("trial", {"number": None}), ("trial", {"number": 1.5}),
            ("trials", {"sort": "net"}), ("trials", {"limit": "all"}), ("trials", {"status": ["great"]}),
            ("trials", {"offset": 10**30}), ("trials", {"limit": -(10**30)}), ("trial", {"number": 10**30}),
            ("trials", {"colour": "blue"}), (PAGE, {"path": "SM(10)"}), ("status", {"x": 1}),
            ("log", {"level": "loud"}),
            ("queue_job", {"kind": "shell"}), ("move_job", {"id": 1}),
            ("trials", [1, 2]), ("trials", 7), ("trials", "x"),
        ],
    )  # fmt: skip
    async def test_bad_params(self, finished, method, params):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            answer = await raw.ask({**request(method), "params": params})
            assert answer["error"]["code"] == ErrorCode.INVALID_PARAMS
            assert answer["error"]["message"].startswith(f"{method}: ")
            assert "result" in await raw.ask(request("status"))

    @pytest.mark.parametrize(
        ("method", "params", "message"),
        [
            ("trial", {"number": 10**6}, "there is no trial 1000000: the newest is"),
            ("trial", {"number": -(2**53)}, "there is no trial"),
            (PAGE, {"path": ["C(9,9,9,9,9)"]}, "after 0 layers there is no action"),
            (PAGE, {"path": ["../../etc/passwd"]}, "there is no action"),
            ("export", {"what": "../../etc/passwd"}, "this run has no table"),
            ("evolution.population", {}, "this run's strategy is qlearning"),
            ("cancel_job", {"id": 2**53}, "there is no job"),
            ("pause", {}, "the search is finished"),
        ],
    )
    async def test_what_cannot_be_is_refused_in_a_sentence(self, finished, method, params, message):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            answer = await raw.ask(request(method, params))
            assert answer["error"]["code"] == ErrorCode.REFUSED
            assert message in answer["error"]["message"]

    @pytest.mark.parametrize("what", sorted(NO_REQUESTS))
    async def test_what_is_no_request_ends_this_client_alone(self, finished, what):
        frame, code = NO_REQUESTS[what]
        async with Raw(finished.directory) as other, Raw(finished.directory) as raw:
            await other.greeted()
            await raw.greeted()
            answer = await raw.ask(frame)
            assert answer["error"]["code"] == code
            assert await raw.read() is None
            assert "result" in await other.ask(request("status"))

    async def test_deep_params_are_an_error(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            deep = b"[" * 50_000 + b"]" * 50_000
            frame = json.dumps({"jsonrpc": "2.0", "id": 2, "method": PAGE, "params": {"path": []}}).encode()
            answer = await raw.ask(frame.replace(b"[]", deep) + b"\n")
            assert "error" in answer
        for method in (PAGE, "hello"):
            async with Raw(finished.directory) as raw:
                await raw.greeted() if method == PAGE else None
                head = f'{{"jsonrpc": "2.0", "id": 2, "method": "{method}", "params": '.encode()
                assert "error" in await raw.ask(head + b'{"path": ["\xff"], "client": "\xff"}}\n')

    async def test_a_frame_without_end(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            answer = await raw.ask(b"x" * (3 * protocol.MAX_FRAME))
            assert answer is None or answer["error"]["code"] == ErrorCode.TOO_LARGE
            assert await raw.read() is None
        assert finished.status().state == "finished"

    async def test_half_a_frame(self, finished):
        for frame in (b"", b"{", b'{"jsonrpc": "2.0", "id": 3, "method": "stop"', json.dumps(request("stop")).encode()):
            async with Raw(finished.directory) as raw:
                await raw.greeted()
                raw.writer.write(frame)
                raw.writer.write_eof()
                assert await raw.read() is None
        assert finished.status().state == "finished"

    async def test_many_requests_in_one_write(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            frames = [json.dumps(request("trial", {"number": 1}, id=n)).encode() + b"\n" for n in range(200)]
            raw.writer.write(b"".join(frames))
            assert [(await raw.read())["id"] for _ in frames] == list(range(200))

    async def test_a_text_that_sqlite_does_not_take(self, finished):
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            for text in ("%" * 60_000, "'; DROP TABLE trial; --", "\x00", "\\", "💥"):
                answer = await raw.ask(request("trials", {"text": text}))
                assert "error" not in answer or answer["error"]["code"] == ErrorCode.REFUSED
            assert (await raw.ask(request("trials")))["result"]["total"] >= 8


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(["offset", "limit", "number", "text", "sort", "status", "path", "points", "before", "level"])
harmless = st.sampled_from(["status", "trials", "trial", PAGE, "rewards", "jobs", "log", "runs", "config", "subscribe"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(harmless, st.dictionaries(fields, json_values, max_size=3)).map(
            lambda pair: json.dumps(request(*pair)).encode()
        ),
    )
)
def test_whatever_is_sent_it_answers_or_hangs_up(finished, frame):
    async def send():
        async with Raw(finished.directory) as raw:
            await raw.greeted()
            raw.writer.write(frame + b"\n")
            raw.writer.write_eof()
            while (answer := await raw.read()) is not None:
                assert answer["jsonrpc"] == "2.0"
                assert answer.get("error", {}).get("code") != ErrorCode.INTERNAL, answer

    asyncio.run(send())
    assert finished.process.poll() is None
