"""The endpoints as tools of a language model, called by a client over HTTP."""

import ast
import asyncio
import re
import subprocess
import sys

import pytest
from mcp import ClientSession, McpError
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image

TOOLS = {
    "list_networks",
    "predict",
    "explain",
    "compare",
}


@pytest.fixture(scope="module")
def address():
    """An app that serves tools, in a process of its own, cut off from the world."""
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "medattn", "app", "--port", "0"]
        + ["--no-open-browser", "--mcp"],
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


def test_nonsense_is_refused_in_a_sentence(address):
    _, answers = ask(
        address,
        ("explain", {"dataset": "<b>nowhere</b>"}),
        ("explain_own", {"dataset": "fundus"}),
        ("nonsense", {}),
        ("predict", {"image": 0}),
    )
    *refused, good = answers
    for answer in refused:
        assert answer.isError
        text = answer.content[0].text
        assert "root:" not in text and "Traceback" not in text and len(text) < 500
    assert not good.isError


def test_no_tool_takes_a_file_of_the_host(address, tmp_path):
    """Gradio's MCP server uploads what a call names, from the server's own disk."""
    planted = tmp_path / "planted.png"
    Image.new("RGB", (40, 40), "red").save(planted)
    meta = {"_type": "gradio.FileData"}
    for path in (str(planted), "/etc/hostname", "http://127.0.0.1:1/secret"):
        for tool, name in (("export_own", "image"), ("explain", "dataset")):
            given = {name: {"path": path, "meta": meta}}
            with pytest.raises(McpError, match="no files"):
                ask(address, (tool, given))
            said = ask(address, (tool, {name: path}))[1][0]
            assert said.isError and "data:" not in said.content[0].text
