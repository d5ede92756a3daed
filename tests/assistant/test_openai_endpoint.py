import json

import pytest
from starlette.responses import PlainTextResponse

from hubbub.assistant import open_model
from hubbub.assistant.openai_endpoint import MAX_REPLY_CHARS, OpenAiEndpoint
from hubbub.errors import InvalidInput, ModelError, PromptTooLong
from tests.assistant.scripted import fails, hangs, says, scripted_endpoint, sse, whole, writes

ASKED = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object"}


def reply_of(endpoint: OpenAiEndpoint) -> str:
    try:
        return "".join(endpoint.stream(ASKED, SCHEMA))
    finally:
        endpoint.close()


def test_a_streamed_and_a_whole_reply_read_the_same():
    texts = []
    for script in (says(([1], "Hi.")), whole(([1], "Hi."))):
        with scripted_endpoint(script) as scripted:
            texts.append(reply_of(OpenAiEndpoint(scripted.url, "tiny")))
    assert json.loads(texts[0]) == json.loads(texts[1])


def test_the_schema_goes_with_the_request_and_the_key_in_the_header(monkeypatch):
    monkeypatch.setenv("HUBBUB_MODEL_API_KEY", "sesame")
    with scripted_endpoint(writes("{}")) as scripted:
        model = open_model(f"{scripted.url}#tiny")
        assert model is not None and model.name == "tiny"
        assert "".join(model.stream(ASKED, SCHEMA)) == "{}"
        model.close()
    assert scripted.asked[0]["response_format"]["json_schema"]["schema"] == SCHEMA
    assert scripted.headers[0]["authorization"] == "Bearer sesame"


def test_a_refused_format_is_loosened_and_the_lesson_kept():
    def picky(request):
        kind = request.get("response_format", {}).get("type")
        return sse("{}") if kind is None else PlainTextResponse("unknown response_format", 400)

    with scripted_endpoint(picky) as scripted:
        endpoint = OpenAiEndpoint(scripted.url, "tiny")
        assert ["".join(endpoint.stream(ASKED, SCHEMA)) for _ in range(2)] == ["{}", "{}"]
        endpoint.close()
    kinds = [asked.get("response_format", {}).get("type") for asked in scripted.asked]
    assert kinds == ["json_schema", "json_object", None, None]


def test_a_prompt_that_is_too_long_loosens_no_format():
    def short(request):
        if len(request["messages"][0]["content"]) > 100:
            return PlainTextResponse('{"error":{"type":"exceed_context_size_error"}}', 400)
        return sse("{}")

    with scripted_endpoint(short) as scripted:
        endpoint = OpenAiEndpoint(scripted.url, "tiny")
        with pytest.raises(PromptTooLong):
            list(endpoint.stream([{"role": "user", "content": "x" * 101}], SCHEMA))
        assert "".join(endpoint.stream(ASKED, SCHEMA)) == "{}"
        endpoint.close()
    assert [asked["response_format"]["type"] for asked in scripted.asked] == ["json_schema"] * 2


def test_refusals_that_no_format_mends_teach_nothing():
    with scripted_endpoint(fails(400)) as scripted:
        endpoint = OpenAiEndpoint(scripted.url, "tiny")
        with pytest.raises(ModelError, match="answered 400"):
            reply_of(endpoint)
    assert endpoint.mode == "json_schema" and len(scripted.asked) == 3


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (fails(500), "answered 500"),
        (fails(401), "answered 401"),
        (hangs(5), "fell silent"),
        (
            lambda request: PlainTextResponse("data: {oops\n\n", media_type="text/event-stream"),
            "no chat completion",
        ),
        (lambda request: PlainTextResponse("<html>", media_type="text/html"), "no chat completion"),
        (writes("x" * (MAX_REPLY_CHARS + 100)), "stopped"),
    ],
)
def test_a_broken_endpoint_is_a_clear_error(script, told):
    with scripted_endpoint(script) as scripted, pytest.raises(ModelError, match=told) as error:
        reply_of(OpenAiEndpoint(scripted.url, "tiny", silence_timeout_s=0.3))
    assert "\x1b" not in str(error.value)


def test_nobody_listening_is_a_clear_error():
    with pytest.raises(ModelError, match="is it running"):
        reply_of(OpenAiEndpoint("http://127.0.0.1:9/v1", "tiny"))


def test_a_redirect_is_not_followed():
    def elsewhere(request):
        return PlainTextResponse("", 307, headers={"location": "http://127.0.0.1:9/steal"})

    with scripted_endpoint(elsewhere) as scripted, pytest.raises(ModelError, match="answered 307"):
        reply_of(OpenAiEndpoint(scripted.url, "tiny"))


@pytest.mark.parametrize("spec", ["gpt", "https://host/v1", "ftp://host#x", "http://#x"])
def test_what_names_no_model_is_refused(spec):
    with pytest.raises(InvalidInput):
        open_model(spec)


def test_quotes_is_no_model():
    assert open_model("quotes") is None


def test_a_missing_model_file_is_named(tmp_path):
    pytest.importorskip("xllamacpp", reason="extra local-llm is not installed")
    with pytest.raises(ModelError, match=r"none\.gguf"):
        open_model(str(tmp_path / "none.gguf"))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    pytest.importorskip("xllamacpp", reason="extra local-llm is not installed")
    path = tmp_path / "junk.gguf"
    path.write_bytes(b"GGUF" + b"\x00" * 64)
    with pytest.raises(ModelError, match=r"junk\.gguf"):
        open_model(str(path))
