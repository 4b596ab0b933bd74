"""What goes wrong on the way: asked again where that helps, told where it does not, never half stored."""

from __future__ import annotations

import json
import logging
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import pytest

from tests.weather.feed_answers import open_meteo
from tests.weather.feed_server import GOOD, Fault, closed_port
from tests.weather.fetching import HERE, KEYS, QUICK, TWO, Feeds
from weather import HttpPolicy, InputError
from weather.feeds import _http

PAGE = "<!DOCTYPE html>\n<html><head><title>Service\nunavailable</title></head><body>later</body></html>"
TIRED = json.dumps({"error": True, "reason": "Minutely API request limit exceeded."})
PASSING = {
    "429": Fault(429, body=TIRED, type="application/json"),
    "429 with Retry-After": Fault(429, {"Retry-After": "0"}, TIRED, "application/json"),
    "500": Fault(500, body=PAGE, type="text/html"),
    "503": Fault(503, body="", type=""),
    "529": Fault(529, body="overloaded", type="text/plain"),
    "time-out": Fault(delay_s=0.8),
    "connection reset": Fault(resets=True),
    "cut off": Fault(share=0.6),
    "cut off, of no stated length": Fault(share=0.6, states_length=False),
    "empty": Fault(body="", type="application/json"),
}
PATIENT = HttpPolicy(timeout_s=30.0, n_retries=2, backoff_s=0.001, spacing_s=0.0)
POLICIES = {"time-out": replace(PATIENT, timeout_s=0.4)}
SAID = {
    "429": "status 429: Minutely API request limit exceeded. (asked 3 times)",
    "500": "status 500: a page 'Service unavailable' (asked 3 times)",
    "503": "status 503 (asked 3 times)",
    "529": "status 529: overloaded (asked 3 times)",
    "time-out": "within 0.4 s (asked 3 times)",
    "connection reset": "broke the connection off (asked 3 times)",
    "cut off": "was cut off (asked 3 times)",
    "cut off, of no stated length": "bytes of JSON without its end (asked 3 times)",
    "empty": "an empty answer (asked 3 times)",
}


class Clock:
    """Stands still and notes waits instead of waiting."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits: list[float] = []
        clock = SimpleNamespace(sleep=self.waits.append, monotonic=lambda: 0.0)
        monkeypatch.setattr(_http, "time", clock)
        monkeypatch.setattr(_http, "_SPACING", _http._Spacing())


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_costs_one_more_request(feeds: Feeds, name: str) -> None:
    if name in POLICIES:
        feeds.fetch()  # so that the server has its answer ready
        feeds.server.asked.clear()
    feeds.server.faults += [PASSING[name], GOOD]
    feeds.fetch(policy=POLICIES.get(name, PATIENT), refresh=True)
    (_, first), (_, params) = feeds.server.asked
    assert params == first
    payload, _ = sorted(feeds.stored(), key=lambda path: path.name.endswith(".meta.json"))
    assert payload.read_text(encoding="utf-8") == open_meteo(params)


@pytest.mark.parametrize("name", SAID)
def test_a_fault_that_stays_is_told_and_nothing_is_stored(feeds: Feeds, name: str) -> None:
    feeds.server.faults += [PASSING[name]] * 3
    (finding,) = feeds.findings(policy=POLICIES.get(name, PATIENT))
    assert finding.startswith("here, 2013-03-04T06:00Z to 2013-03-12T18:00Z: ")
    assert SAID[name] in finding
    assert f"asked {feeds.server.url}/v1/archive; " in finding
    assert len(feeds.server.asked) == 3
    assert not feeds.stored()


@pytest.mark.parametrize(
    ("source", "fault", "message"),
    [
        (
            "pvgis",
            Fault(400, body='{"message": "Location over the sea. Please, select another location"}'),
            "status 400: Location over the sea. Please, select another location",
        ),
        (
            "open_meteo",
            Fault(400, body='{"error": true, "reason": "Parameter end_date is out of allowed range"}'),
            "status 400: Parameter end_date is out of allowed range",
        ),
        (
            "nasa_power",
            Fault(422, body='{"header": "x", "messages": ["A maximum of 15 parameters", "Bad date"]}'),
            "status 422: A maximum of 15 parameters; Bad date",
        ),
        (
            "nsrdb",
            Fault(400, body='{"inputs": {}, "status": 400, "errors": ["No data at this point"]}'),
            "status 400: No data at this point",
        ),
        ("open_meteo", Fault(404, body=PAGE, type="text/html"), "status 404: a page 'Service unavailable'"),
        ("open_meteo", Fault(204, body="", type=""), "status 204"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_service(
    feeds: Feeds, source: str, fault: Fault, message: str
) -> None:
    feeds.server.faults.append(fault)
    (finding,) = feeds.findings(source)
    assert message in finding
    assert "check places, dates and dataset against what the source has" in finding
    assert len(feeds.server.asked) == 1
    assert not feeds.stored()


@pytest.mark.parametrize(
    ("source", "fault", "message"),
    [
        ("open_meteo", Fault(body=PAGE, type="text/html"), "text/html instead of JSON: a page 'Service un"),
        ("open_meteo", Fault(body=PAGE), "application/json instead of JSON: a page 'Service unavailable'"),
        ("open_meteo", Fault(type="image/png"), "an answer image/png instead of JSON"),
        (
            "nsrdb",
            Fault(body='{"errors": ["sent by mail"]}', type="application/json"),
            "application/json instead of CSV: sent by mail",
        ),
        ("open_meteo", Fault(body='{"hourly": {"time": [}', type=""), "file: no whole JSON"),
        (
            "pvgis",
            Fault(body='{"type": "Feature", "properties": {"parameter": {}}}'),
            "outputs: no 'hourly' and no 'tmy_hourly'",
        ),
    ],
)
def test_something_else_than_was_asked_for_is_not_taken_for_data(
    feeds: Feeds, source: str, fault: Fault, message: str
) -> None:
    feeds.server.faults.append(fault)
    assert message in feeds.findings(source)[0]
    assert len(feeds.server.asked) == 1
    assert not feeds.stored()


def test_waits_double_with_a_share_that_the_request_determines(
    feeds: Feeds, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    patient = HttpPolicy(n_retries=5, backoff_s=1.0, max_wait_s=12.0, spacing_s=0.0)
    for _ in range(2):
        feeds.server.faults += [PASSING["500"]] * 6
        feeds.findings(policy=patient)
    first, again = clock.waits[:5], clock.waits[5:]
    assert first == again
    assert all(2.0**k <= wait <= 1.5 * 2.0**k for k, wait in enumerate(first[:3]))
    assert 8.0 <= first[3] <= first[4] == 12.0
    assert len(set(first[k] / 2.0**k for k in range(3))) == 3


@pytest.mark.parametrize("as_date", [False, True])
def test_a_server_says_how_long_to_wait(feeds: Feeds, monkeypatch: pytest.MonkeyPatch, as_date: bool) -> None:
    clock = Clock(monkeypatch)
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=31), usegmt=True)
    feeds.server.faults += [Fault(429, {"Retry-After": until if as_date else "30"}), GOOD]
    feeds.fetch(policy=HttpPolicy(spacing_s=0.0))
    (wait,) = clock.waits
    assert 25.0 < wait <= 31.0 if as_date else wait == 30.0


def test_a_wait_longer_than_allowed_is_told_at_once(feeds: Feeds) -> None:
    feeds.server.faults.append(Fault(429, {"Retry-After": "1900"}, TIRED, "application/json"))
    (finding,) = feeds.findings()
    assert "it asks to wait 1900 s, max_wait_s is 120 s" in finding
    assert len(feeds.server.asked) == 1


@pytest.mark.parametrize(
    ("source", "options", "distance_s"),
    [
        ("open_meteo", {}, 0.1),  # nine days with ten variables count as one of 600 requests a minute
        ("open_meteo", {"end": "2013-04-01T00:00Z"}, 0.1 * 29 / 14),
        ("nsrdb", {}, 1.0),
        ("nsrdb", {"policy": HttpPolicy(spacing_s=7.5)}, 7.5),
    ],
)
def test_requests_keep_the_distance_that_the_terms_of_the_source_ask_for(
    feeds: Feeds,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    options: dict[str, object],
    distance_s: float,
) -> None:
    clock = Clock(monkeypatch)
    feeds.fetch(source, sites=TWO, **{"policy": HttpPolicy(), **options})
    assert clock.waits == [pytest.approx(distance_s)]


def test_a_fault_of_the_service_that_is_known_to_pass_is_tried_again(feeds: Feeds) -> None:
    broken = Fault(400, body='{"errors": ["Data processing failure."]}', type="application/json")
    feeds.server.faults += [broken, GOOD]
    feeds.fetch("nsrdb")
    assert len(feeds.server.asked) == 2


def test_without_a_connection_the_message_says_so_at_once(feeds: Feeds) -> None:
    with closed_port() as nowhere:
        began = time.perf_counter()
        found = feeds.findings(base_url=nowhere, sites=TWO, policy=HttpPolicy())
    assert time.perf_counter() - began < 10.0  # six retries would take 63 s
    assert "no connection to 127.0.0.1:" in found[0]
    assert "check the network; offline=True takes stored answers only" in found[0]
    assert found[1].startswith("the rest: 1 more request(s) not made")


def test_the_refusal_of_one_place_does_not_keep_the_others_from_being_stored(feeds: Feeds) -> None:
    feeds.server.faults += [Fault(400, body='{"reason": "no such place"}'), GOOD]
    (finding,) = feeds.findings(sites=TWO)
    assert finding.startswith("west, ")
    assert len(feeds.server.asked) == 2
    feeds.fetch(sites=HERE)
    assert len(feeds.server.asked) == 2


def test_an_interruption_leaves_nothing(feeds: Feeds, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_http, "_without_secrets", interrupted)
    with pytest.raises(KeyboardInterrupt):
        feeds.fetch()
    assert not feeds.stored()
    assert not list(feeds.cache_dir.glob("*/.incoming*"))


def test_a_cache_that_cannot_be_written_is_told(feeds: Feeds) -> None:
    feeds.cache_dir.write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match=r"cache_dir: .* cannot be written"):
        feeds.fetch()


def test_keys_are_not_sent_on_to_where_a_server_points(feeds: Feeds) -> None:
    other = feeds.server.url.replace("127.0.0.1", "localhost")
    moved = Fault(301, {"Location": f"{other}/v1/archive?email={KEYS['NSRDB_EMAIL']}"}, body="", type="")
    feeds.server.faults.append(moved)
    (finding,) = feeds.findings("nsrdb")
    assert f"status 301: moved to {other}; asked" in finding
    assert "if you trust it with your keys, name it as base_url" in finding
    assert len(feeds.server.asked) == 1


def test_a_request_without_keys_follows(feeds: Feeds) -> None:
    feeds.fetch()
    query = "&".join(f"{name}={value}" for name, value in feeds.server.asked[0][1].items())
    moved = Fault(302, {"Location": f"/moved/v1/archive?{query}"}, body="", type="")
    feeds.server.faults.append(moved)
    feeds.fetch(refresh=True)
    assert [path for path, _ in feeds.server.asked] == ["/v1/archive", "/v1/archive", "/moved/v1/archive"]


def test_missing_keys_are_named_before_anyone_is_asked(feeds: Feeds, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, " ")
    found = feeds.findings("nsrdb")
    assert [finding.partition(":")[0] for finding in found] == list(KEYS)
    assert all("this environment variable is not set" in finding for finding in found)
    assert not feeds.server.asked


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            Fault(403, body='{"error": {"code": "API_KEY_INVALID", "message": "@K is not @M\'s"}}'),
            "status 403: <hidden> is not <hidden>'s; API_KEY_INVALID",
        ),
        (Fault(401, body="@K ?api_key=@Q&x", type="text/plain"), "<hidden> ?api_key=<hidden>&x"),
        (Fault(body="<html><title>@K</title></html>", type="text/html"), "a page '<hidden>'"),
        (Fault(resets=True), "broke the connection off"),
        (Fault(share=0.5), "was cut off"),
        (Fault(body="Source,Location ID,@K\n1,2\n3\n@K\n", type="text/csv"), "no column Year"),
    ],
)
def test_keys_stand_in_no_message_log_or_file(
    feeds: Feeds, caplog: pytest.LogCaptureFixture, fault: Fault, message: str
) -> None:
    key, mail = KEYS.values()
    quoted = "SeCrEt%2Bkey%2F0123456789"
    words = {"@K": key, "@M": mail, "@Q": quoted}
    body = fault.body
    for word, value in words.items():
        body = body.replace(word, value) if body else body
    told = Fault(fault.status, fault.headers, body, fault.type, fault.share, resets=fault.resets)
    feeds.server.faults += [told, told]
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError) as caught:
        feeds.fetch("nsrdb", policy=HttpPolicy(timeout_s=30.0, n_retries=1, backoff_s=0.001, spacing_s=0.0))
    assert message in str(caught.value)
    assert caplog.text.count("api_key=") == caplog.text.count("api_key=<hidden>") > 0 or fault.resets
    shown = caplog.text + "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)
    for word in (key, mail, quoted, "someone%40example"):
        assert word not in shown
    assert not feeds.stored()


def test_keys_stand_in_no_file_of_the_cache_and_in_no_result(feeds: Feeds) -> None:
    feeds.server.edit = lambda text: text.replace("v3.2.2", KEYS["NSRDB_API_KEY"])
    ds = feeds.fetch("nsrdb")
    assert ds.attrs["source"] == "NSRDB PSM <hidden>"
    texts = [path.read_text(encoding="utf-8") for path in feeds.stored()]
    for word in (*KEYS.values(), "SeCrEt", "someone"):
        assert not any(word in text for text in (*texts, str(ds.attrs), *map(str, feeds.stored())))


@pytest.mark.parametrize("field", ["timeout_s", "n_retries", "backoff_s", "max_wait_s", "spacing_s"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_policy_that_is_none_is_refused(feeds: Feeds, field: str, value: float) -> None:
    (finding,) = feeds.findings(policy=HttpPolicy(**{**QUICK.__dict__, field: value}))
    assert finding.startswith(f"policy.{field}: ")
