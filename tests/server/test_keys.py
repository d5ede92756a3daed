"""Keys of tenants: who gets in, for what, how often, and not any more."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import httpx2
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.cli.main import run
from hubbub.errors import Corruption, InvalidInput
from hubbub.server.app import create_app
from hubbub.server.keys import KEYS_FILE, KeyRing
from hubbub.server.tenants import Pace
from hubbub.web.run import serve_in_thread
from tests.server.small_house import SmallHouse

DAM = [{"role": "user", "content": "What is happening at the Hollin dam?"}]


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def search(url: str, secret: str = "", path: str = "/v1/search?q=dam") -> httpx2.Response:
    return httpx2.get(url + path, headers=bearer(secret) if secret else {}, trust_env=False)


def test_without_any_key_this_machine_asks_freely(house: SmallHouse, tmp_path: Path) -> None:
    with serve_in_thread(create_app(house, keys=KeyRing(tmp_path))) as url:
        assert search(url).status_code == 200
        ring = KeyRing(tmp_path)
        ring.add("x")
        assert search(url).status_code == 401
        assert search(url, path="/api/search?q=dam").status_code == 200  # the page of this machine


def test_a_key_opens_until_it_is_revoked_and_only_what_it_may(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    key, secret = ring.add("tesla", ["search"])
    _, other = ring.add("x")
    with serve_in_thread(create_app(house, keys=KeyRing(tmp_path))) as url:
        assert search(url, secret).status_code == 200
        with openai.OpenAI(base_url=f"{url}/v1", api_key=secret, max_retries=0) as client:
            with pytest.raises(openai.PermissionDeniedError, match="may not ask"):
                client.chat.completions.create(model="hubbub", messages=DAM)
        with openai.OpenAI(base_url=f"{url}/v1", api_key=other, max_retries=0) as client:
            assert client.chat.completions.create(model="hubbub", messages=DAM).citations
        ring.revoke(key.id)
        refused = search(url, secret)
        assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
        assert search(url, other).status_code == 200
        scraped = search(url, path="/metrics").text
    assert 'hubbub_requests_total{tenant="tesla"} 1.0' in scraped
    assert 'hubbub_refused_requests_total{tenant="tesla"} 1.0' in scraped


def test_each_key_has_its_own_pace(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    (_, slow), (_, fast) = ring.add("slow", per_minute=2), ring.add("fast")
    with serve_in_thread(create_app(house, keys=ring)) as url:
        assert [search(url, slow).status_code for _ in range(3)] == [200, 200, 429]
        assert 0 < int(search(url, slow).headers["retry-after"]) <= 30
        assert search(url, fast).status_code == 200


def test_another_tenant_s_thread_is_unknown(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    secrets = [ring.add(name)[1] for name in ("x", "tesla")]
    with serve_in_thread(create_app(house, keys=ring)) as url:
        x, tesla = (openai.OpenAI(base_url=f"{url}/v1", api_key=s, max_retries=0) for s in secrets)
        first = x.responses.create(model="hubbub", input="What is happening at the secret bridge?")
        assert x.responses.create(model="hubbub", input="and the dam?", previous_response_id=first.id)
        with pytest.raises(openai.BadRequestError) as foreign:
            tesla.responses.create(model="hubbub", input="and?", previous_response_id=first.id)
        with pytest.raises(openai.BadRequestError) as unknown:
            tesla.responses.create(model="hubbub", input="and?", previous_response_id="resp_0")
        assert str(foreign.value).replace(first.id, "resp_0") == str(unknown.value)
        x.close(), tesla.close()


def test_where_others_listen_the_house_s_own_figures_need_a_key(house: SmallHouse, tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    (_, user), (_, operator) = ring.add("x", ["ask"]), ring.add("ops", ["operate"])
    with serve_in_thread(create_app(house, hosts=None, keys=ring)) as url:
        codes = [search(url, secret, "/metrics").status_code for secret in ("", user, operator)]
    assert codes == [401, 403, 200]


def test_only_hashes_are_kept_for_the_owner_alone(tmp_path: Path) -> None:
    _, secret = KeyRing(tmp_path).add("x")
    kept = tmp_path / KEYS_FILE
    assert secret not in kept.read_text() and secret.removeprefix("hub_") not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0


def test_many_at_once_lose_no_key(tmp_path: Path) -> None:
    threads = [threading.Thread(target=lambda n=n: KeyRing(tmp_path).add(f"t{n}")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.tenant for key in KeyRing(tmp_path).all()} == {f"t{n}" for n in range(12)}


def test_damage_and_nonsense_are_named(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    for name in ("", " ", "x" * 65, "a\nb"):
        with pytest.raises(InvalidInput, match="tenant"):
            ring.add(name)
    with pytest.raises(InvalidInput, match="no key"):
        ring.revoke("nope")
    ring.add("x")
    (tmp_path / KEYS_FILE).write_text("[{")
    with pytest.raises(Corruption, match=KEYS_FILE):
        ring.find("hub_x")


@given(st.integers(1, 100), st.lists(st.floats(0, 30), max_size=80))
def test_no_minute_lets_more_than_its_share_and_the_stock_through(per_minute: int, gaps: list[float]) -> None:
    pace, now_s, taken = Pace(), 0.0, 0
    for gap_s in gaps:
        now_s += gap_s
        wait_s = pace.wait_s({"k": per_minute}, now_s)
        taken += wait_s == 0
        assert 0 <= wait_s <= 60 / per_minute + 1e-6
    assert taken <= per_minute + now_s * per_minute / 60 + 1e-6


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--data", str(tmp_path)]
    assert run(["serve", "--public", "--port", "0", *data]) == 2
    assert "hubbub keys add" in capsys.readouterr().err
    assert run(["keys", "add", "tesla", "--scope", "search", *data]) == 0
    secret = capsys.readouterr().out.strip()
    key = KeyRing(tmp_path).find(secret)
    assert key and key.scopes == ("search",)
    assert run(["keys", "list", "--json", *data]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["tenant"] == "tesla" and "digest" not in shown
    assert run(["keys", "revoke", key.id, "--json", *data]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == key.id
    assert KeyRing(tmp_path).find(secret) is None
    assert run(["keys", "revoke", "nope", *data]) == 2
