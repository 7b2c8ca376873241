"""The endpoints as tools of a language model, called by a client over HTTP."""

import ast
import asyncio
import re
import subprocess
import sys

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

TOOLS = {
    "list_networks",
    "predict",
    "explain",
    "compare",
    "explain_own",
    "export_own",
}


@pytest.fixture(scope="module")
def address():
    """An app that serves tools, in a process of its own, cut off from the world."""
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "medattn", "app", "--port", "0"]
        + ["--no-open-browser", "--offline", "--mcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = next(line for line in server.stdout if "is open at" in line)
        yield re.search(r"http://\S+", line).group(0) + "gradio_api/mcp/"
    finally:
        server.terminate()
        server.wait(timeout=60)


def ask(address, *calls):
    """Lists the tools and calls some; returns both."""

    async def session():
        async with streamablehttp_client(address) as (reads, writes, _):
            async with ClientSession(reads, writes) as client:
                await client.initialize()
                tools = (await client.list_tools()).tools
                return tools, [await client.call_tool(*call) for call in calls]

    return asyncio.run(session())


def test_a_client_finds_the_endpoints_and_is_answered_as_the_page_is(address, service):
    from medattn_app.domain.cases import synthetic_cases

    question = dict(image=2, attention="SE", regime=0.1, method="gradient")
    tools, (found,) = ask(address, ("explain", question))
    assert {tool.name for tool in tools} == TOOLS
    for tool in tools:
        assert tool.description.strip()
        for option in tool.inputSchema["properties"].values():
            assert option["description"].strip()
    reply = ast.literal_eval(found.content[0].text)
    cell = service.cell("fundus", "ResNet", "SE", 0.1)
    own = service.answer(synthetic_cases("fundus")[2], cell, "gradient")
    assert reply["probability"] == pytest.approx(own.probability, abs=1e-5)
    assert len(reply["relevance"]) == 64 and not found.isError


def test_nonsense_is_refused_in_a_sentence_and_no_file_of_the_host_is_read(address):
    _, answers = ask(
        address,
        ("explain", {"dataset": "<b>nowhere</b>"}),
        ("explain_own", {"image": {"path": "/etc/passwd"}}),
        ("explain_own", {"image": {"url": "http://127.0.0.1:1/secret"}}),
        ("predict", {"image": 0}),
    )
    *refused, good = answers
    for answer in refused:
        assert answer.isError
        text = answer.content[0].text
        assert "root:" not in text and "Traceback" not in text and len(text) < 500
    assert not good.isError
