"""One running server: the `openai` client, an MCP client and a browser, each its own tenant, one platform."""

import time
from pathlib import Path

import httpx2
import openai
import pytest

from hubbub.server.keys import KeyRing
from hubbub.server.remote import read_address
from tests.cli.test_status import serving  # noqa: F401  a fixture
from tests.server.mcp_client import given, use

pytestmark = pytest.mark.browser

QUESTION = "What is happening with the ferry to Hollin?"
SAID = "sinks at the pier"


def test_everybody_asks_one_server_and_a_deletion_reaches_all(serving, chromium):  # noqa: F811
    fake, data = serving
    url = read_address(data).url
    secrets = {name: KeyRing(Path(data)).add(name)[1] for name in ("shop", "desk")}

    def chat() -> str:
        with openai.OpenAI(base_url=f"{url}/v1", api_key=secrets["shop"], max_retries=0) as client:
            asked = [{"role": "user", "content": QUESTION}]
            return client.chat.completions.create(model="hubbub", messages=asked).choices[0].message.content

    def tool() -> str:
        key = {"Authorization": f"Bearer {secrets['desk']}"}
        return str(given(use(url, lambda mcp: mcp.call_tool("ask", {"question": QUESTION}), **key)))

    chromium.open(url)
    fake.post("did:plc:anna", "k1", f"The ferry to Hollin {SAID}, everybody is safe.", langs=["en"])
    fake.post("did:plc:omar", "k2", "The harbour office has closed the pier of the ferry.", langs=["en"])
    chromium.wait(lambda: len(chromium.all("#stream > li")) == 2)
    chromium.ask(QUESTION)
    assert SAID in "".join(chromium.texts(".sentence"))
    assert SAID in chat() and SAID in tool()
    with openai.OpenAI(base_url=f"{url}/v1", api_key="hub_foreign", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
    fake.delete("did:plc:anna", "k1")
    chromium.wait(lambda: SAID not in chromium.html())
    end_s = time.monotonic() + 10
    while SAID in chat() or SAID in tool():
        assert time.monotonic() < end_s
    assert chromium.complaints() == []
    told = httpx2.get(f"{url}/api/tenants", trust_env=False).json()["tenants"]
    answers = {tenant["tenant"]: tenant["usage"]["num_answers"] for tenant in told}
    assert answers["-"] == 1 and answers["shop"] >= 2 and answers["desk"] >= 2
    chromium.driver.get("about:blank")
