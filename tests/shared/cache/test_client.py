import asyncio
import time

import pytest
from structlog.testing import capture_logs

from shared.cache import Cache
from shared.errors import CacheUnavailable
from tests.shared.cache.redis_server import RedisServer
from tests.shared.cache.waiting import until


async def until_it_answers(cache):
    async def answers():
        return await cache.command("PING")

    await until(answers)


async def refusal(call):
    """How long a call took to say that Redis is away."""
    started = time.monotonic()
    with pytest.raises(CacheUnavailable):
        await call
    return time.monotonic() - started


class Relay:
    """A TCP relay that can be pointed at another Redis: a restart that takes no time."""

    def __init__(self, port):
        self.port = port
        self.connections = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"redis://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/0"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        self.cut()

    def cut(self):
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    async def _relay(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.connections += [writer, far_writer]
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_values_come_back_as_bytes(cache):
    key = cache.key("note", 1)
    await cache.command("SET", key, "grüße", "PX", 10_000)
    assert await cache.command("GET", key) == "grüße".encode()


async def test_keys_name_namespace_run_kind_and_ident(cache):
    namespace, run_id, kind, ident = cache.key("profile", 17).split(":")
    assert namespace.startswith("test-")
    assert (len(run_id), kind, ident) == (40, "profile", "17")
    assert cache.durable_key("claim", "a:b") == f"{namespace}:claim:a:b"


async def test_commands_in_one_pipeline_answer_in_order(cache):
    key = cache.durable_key("count", 1)
    answers = await cache.pipeline([("INCR", key), ("INCR", key), ("PEXPIRE", key, 5000)])
    assert answers == [1, 2, 1]


async def test_a_script_is_sent_when_redis_does_not_know_it(cache):
    script = cache.script(f"-- {time.time_ns()}\nreturn {{KEYS[1], ARGV[1]}}")
    assert await script(["k"], ["v"]) == [b"k", b"v"]
    await cache.command("SCRIPT", "FLUSH")
    calls = [([f"k{n}"], [n]) for n in range(50)]
    assert await script.run_many(calls) == [[b"k%d" % n, b"%d" % n] for n in range(50)]


async def test_what_redis_refuses_is_unavailable_and_logged_once(cache):
    key = cache.key("text", 1)
    await cache.command("SET", key, "not a number", "PX", 10_000)
    with capture_logs() as logs:
        for _ in range(20):
            with pytest.raises(CacheUnavailable, match="not an integer"):
                await cache.command("INCR", key)
            with pytest.raises(CacheUnavailable, match="not an integer"):
                await cache.pipeline([("PING",), ("INCR", key)])
    assert [entry["event"] for entry in logs] == ["redis refuses a command"]
    assert await cache.command("GET", key) == b"not a number"


async def test_five_hundred_commands_share_few_connections(cache):
    keys = [cache.key("many", n) for n in range(500)]
    await asyncio.gather(*(cache.command("SET", key, key, "PX", 10_000) for key in keys))
    got = await asyncio.gather(*(cache.command("GET", key) for key in keys))
    assert [value.decode() for value in got] == keys


async def test_cancelled_commands_leave_no_answer_to_others(cache):
    keys = [cache.key("mine", n) for n in range(200)]
    await cache.pipeline([("SET", key, key, "PX", 10_000) for key in keys])
    for _ in range(5):
        calls = [asyncio.create_task(cache.command("GET", key)) for key in keys]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        for call in calls[::2]:
            call.cancel()
        results = await asyncio.gather(*calls, return_exceptions=True)
        for key, result in zip(keys, results, strict=True):
            assert isinstance(result, asyncio.CancelledError) or result == key.encode()
    got = await asyncio.gather(*(cache.command("GET", key) for key in keys))
    assert [value.decode() for value in got] == keys


async def test_redis_time_is_read_from_redis(cache):
    seconds, micros = await cache.command("TIME")
    assert cache.server_time() == pytest.approx(int(seconds) + int(micros) / 1e6, abs=1)


async def test_opening_does_not_wait_for_a_redis_that_is_not_there(connect, private_redis):
    """It heals by itself: nobody needs to open it again."""
    private_redis.kill()
    cache = await connect(private_redis.url)
    assert cache.essential is False
    assert await refusal(cache.ping()) < 5
    with pytest.raises(CacheUnavailable, match="not reached yet"):
        cache.key("profile", 1)
    private_redis.start()

    async def was_met():
        return cache.key("profile", 1)

    await until(was_met)
    await cache.ping()


async def test_a_dead_redis_costs_next_to_nothing(connect, private_redis):
    cache = await connect(private_redis.url, timeout=0.5)
    private_redis.kill()
    for _ in range(3):
        await refusal(cache.command("PING"))
    fastest = min([await refusal(cache.command("PING")) for _ in range(50)])
    assert fastest < 0.005
    private_redis.start()
    await until_it_answers(cache)


async def test_a_silent_redis_costs_a_bounded_time_and_no_answer_gets_lost(connect, private_redis):
    cache = await connect(private_redis.url, timeout=0.5)
    keys = [cache.key("mine", n) for n in range(100)]
    await cache.pipeline([("SET", key, key) for key in keys])
    private_redis.stop_answering()
    started = time.monotonic()
    costs = await asyncio.gather(*(refusal(cache.command("GET", key)) for key in keys))
    assert time.monotonic() - started < 5
    assert max(costs) < 5
    assert min([await refusal(cache.command("PING")) for _ in range(20)]) < 0.005
    with pytest.raises(CacheUnavailable, match="no answer within"):
        await cache.ping()
    private_redis.answer_again()
    await until_it_answers(cache)
    got = await asyncio.gather(*(cache.command("GET", key) for key in keys))
    assert [value.decode() for value in got] == keys


async def test_no_call_waits_for_a_redis_that_fell_silent(connect, private_redis):
    """Invariant: Redis is probed in the background, not by whoever needs it next."""
    cache = await connect(private_redis.url, timeout=0.1, failures=1)
    private_redis.stop_answering()
    with pytest.raises(CacheUnavailable, match="no answer within"):
        await cache.command("PING")
    ends = time.monotonic() + 1.5  # some probes long
    while time.monotonic() < ends:
        with pytest.raises(CacheUnavailable, match="a moment ago"):
            await cache.command("PING")
        await asyncio.sleep(0.01)
    private_redis.answer_again()
    await until_it_answers(cache)


async def test_a_restarted_redis_is_a_cold_one(connect, private_redis):
    """Invariant: what was cached before a restart is never read after it."""
    cache = await connect(private_redis.url)
    old_key, durable = cache.key("profile", 1), cache.durable_key("claim", 1)
    await cache.pipeline([("SET", old_key, "stale"), ("SET", durable, "kept")])
    await asyncio.to_thread(private_redis.restart)
    with pytest.raises(CacheUnavailable, match="restarted"):
        await cache.command("GET", old_key)
    assert cache.key("profile", 1) != old_key
    assert await cache.command("GET", cache.key("profile", 1)) is None
    assert await cache.command("GET", cache.durable_key("claim", 1)) == b"kept"
    # It was AOF that kept it: under its old name it is still there.
    assert await cache.command("EXISTS", old_key) == 1


async def test_the_command_that_meets_a_restart_was_not_carried_out(connect, private_redis):
    cache = await connect(private_redis.url)
    count = cache.durable_key("count", 1)
    await cache.command("INCR", count)
    await asyncio.to_thread(private_redis.restart)
    with pytest.raises(CacheUnavailable, match="restarted"):
        await cache.command("INCR", count)
    assert await cache.command("INCR", count) == 2


async def test_ping_is_well_at_once_after_a_restart(connect, private_redis):
    cache = await connect(private_redis.url)
    old_key = cache.key("profile", 1)
    await asyncio.to_thread(private_redis.restart)
    await cache.ping()
    assert cache.key("profile", 1) != old_key


async def test_commands_that_waited_while_redis_restarted_fail(connect, private_redis, tmp_path):
    """Invariant: no command with keys of one run succeeds on another run."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = RedisServer(folder)
    other.start()
    try:
        async with Relay(private_redis.port) as relay:
            cache = await connect(relay.url, max_connections=1)
            key = cache.key("profile", 1)
            blocked = asyncio.create_task(cache.command("BLPOP", cache.durable_key("none", 1), 0))
            waiting = [asyncio.create_task(cache.command("SET", key, n)) for n in range(2)]
            await asyncio.sleep(0)  # all have begun, against the old run
            relay.port = other.port
            relay.cut()
            results = await asyncio.gather(blocked, *waiting, return_exceptions=True)
            assert [type(result) for result in results] == [CacheUnavailable] * 3
            assert "restarted meanwhile" in str(results[2].__cause__)
            assert cache.key("profile", 1) != key
    finally:
        other.kill()


async def test_closing_is_clean_at_any_time(redis_url):
    cache = Cache(redis_url)
    await cache.close()
    with pytest.raises(CacheUnavailable):
        cache.key("profile", 1)  # begins to reach Redis
    await cache.close()
