"""The openai package for Python against a server with the simulated engine. Plain asserts;
prints one line for each check that passed.

Usage: openai_python.py BASE_URL API_KEY           all checks except those at a full server
       openai_python.py BASE_URL API_KEY --full    at a full server: prints "refused", then retries until the server has room
"""

import asyncio
import sys

import openai
from openai import AsyncOpenAI, OpenAI

BASE_URL, API_KEY = sys.argv[1:3]
MODEL = "simulated"
REQUESTED = {"model": MODEL, "prompt": "Once upon a time", "max_tokens": 6, "seed": 7}
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me a story"}], "max_completion_tokens": 6, "seed": 7}
ENDLESS_TOKENS = 8000

# Responses are validated strictly: a field of a wrong type is an error.
client = OpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0, _strict_response_validation=True)
# OpenAI's types of completions lack two nulls that OpenAI sends: `finish_reason` in a stream before the end, and the
# first score of an echo.
lenient = OpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0)


def failure_of(error_class, call):
    try:
        call()
    except error_class as error:
        return error
    raise AssertionError(f"expected {error_class.__name__}, but nothing was raised")


def completion_whole_and_streamed():
    whole = client.completions.create(**REQUESTED)
    assert whole.object == "text_completion" and whole.model == MODEL
    assert whole.choices[0].finish_reason == "length" and whole.choices[0].logprobs is None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens) == (16, 6, 22)
    chunks = list(lenient.completions.create(**REQUESTED, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage


def completion_choices_stop_and_token_ids():
    many = client.completions.create(**{**REQUESTED, "prompt": ["One", "Two"]}, n=3)
    assert [choice.index for choice in many.choices] == [0, 1, 2, 3, 4, 5]
    assert len({choice.text for choice in many.choices}) == 6
    text = client.completions.create(**REQUESTED).choices[0].text
    cut = client.completions.create(**REQUESTED, stop=[text[8:12]]).choices[0]
    assert cut.finish_reason == "stop" and text[8:12] not in cut.text
    by_ids = client.completions.create(**{**REQUESTED, "prompt": [72, 105]}).choices[0].text
    assert by_ids == client.completions.create(**{**REQUESTED, "prompt": "Hi"}).choices[0].text


def completion_logprobs():
    choice = lenient.completions.create(**REQUESTED, logprobs=2, echo=True).choices[0]
    lists = (choice.logprobs.tokens, choice.logprobs.token_logprobs, choice.logprobs.top_logprobs, choice.logprobs.text_offset)
    assert [len(one) for one in lists] == [22] * 4
    assert "".join(choice.logprobs.tokens) == choice.text
    assert choice.logprobs.token_logprobs[0] is None and all(isinstance(value, float) for value in choice.logprobs.token_logprobs[1:])


def chat_whole_and_streamed():
    whole = client.chat.completions.create(**CHAT)
    assert whole.object == "chat.completion" and whole.choices[0].message.role == "assistant"
    chunks = list(client.chat.completions.create(**CHAT, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def chat_stream_helper():
    requested = {**CHAT, "n": 2, "logprobs": True, "top_logprobs": 2, "stop": ["ß"]}
    whole = client.chat.completions.create(**requested)
    with client.chat.completions.stream(**requested) as stream:
        streamed = stream.get_final_completion()
    for one, other in zip(whole.choices, streamed.choices, strict=True):
        assert one.message.content == other.message.content and one.finish_reason == other.finish_reason
        assert one.logprobs.content == other.logprobs.content
        assert all(len(token.top_logprobs) == 2 for token in one.logprobs.content)


def models():
    assert [model.id for model in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).owned_by == "everstream"
    failure_of(openai.NotFoundError, lambda: client.models.retrieve("another/model"))


def errors():
    error = failure_of(openai.BadRequestError, lambda: client.completions.create(**REQUESTED, temperature=9))
    assert (error.status_code, error.param, error.type) == (400, "temperature", "invalid_request_error")
    assert error.request_id.startswith("req_")
    error = failure_of(openai.BadRequestError, lambda: client.completions.create(**{**REQUESTED, "max_tokens": 9000}))
    assert error.code == "context_length_exceeded"
    error = failure_of(openai.NotFoundError, lambda: client.chat.completions.create(**{**CHAT, "model": "gpt-5"}))
    assert error.code == "model_not_found"
    refused = client.with_options(api_key="another")
    error = failure_of(openai.AuthenticationError, lambda: refused.completions.create(**REQUESTED))
    assert error.code == "invalid_api_key"


def error_in_a_stream():
    stream = lenient.completions.create(
        **{**REQUESTED, "max_tokens": ENDLESS_TOKENS}, stream=True, extra_headers={"x-request-timeout-ms": "500"}
    )
    texts = []
    error = failure_of(openai.APIError, lambda: texts.extend(chunk.choices[0].text for chunk in stream))
    assert error.code == "deadline_exceeded" and error.type == "timeout_error"
    assert len(texts) > 0


def disconnect():
    with lenient.completions.create(**{**REQUESTED, "max_tokens": ENDLESS_TOKENS}, stream=True) as stream:
        assert next(iter(stream)).choices[0].finish_reason is None
    late = client.with_options(timeout=0.05)
    failure_of(openai.APITimeoutError, lambda: late.completions.create(**{**REQUESTED, "max_tokens": ENDLESS_TOKENS}))


def many_streams_at_once():
    """More requests than the server has rows: some wait, and their streams contain comments with the position."""

    async def read(many):
        stream = await many.completions.create(**REQUESTED, stream=True)
        return "".join([chunk.choices[0].text async for chunk in stream])

    async def gather():
        async with AsyncOpenAI(base_url=BASE_URL, api_key=API_KEY, max_retries=0) as many:
            return await asyncio.gather(*(read(many) for _ in range(40)))

    assert set(asyncio.run(gather())) == {client.completions.create(**REQUESTED).choices[0].text}


def refused_then_room():
    error = failure_of(openai.InternalServerError, lambda: client.completions.create(**REQUESTED))
    assert error.status_code == 503 and error.code == "server_is_overloaded"
    print("refused", flush=True)
    retrying = client.with_options(max_retries=5)
    assert retrying.completions.create(**REQUESTED).choices[0].finish_reason == "length"


CHECKS = (
    [refused_then_room]
    if "--full" in sys.argv
    else [
        completion_whole_and_streamed,
        completion_choices_stop_and_token_ids,
        completion_logprobs,
        chat_whole_and_streamed,
        chat_stream_helper,
        models,
        errors,
        error_in_a_stream,
        disconnect,
        many_streams_at_once,
    ]
)
for check in CHECKS:
    check()
    print(f"passed: {check.__name__}", flush=True)
