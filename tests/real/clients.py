"""The official clients of MCP and of OpenAI call pipelines: tests/real/clients.py AIVM FOLDER

What they say is held against what `aivm run` would give. Ends with an error at the first thing that is not so.
"""

import asyncio
import base64
import json
import os
import subprocess
import sys

import openai
from mcp import Client, StdioServerParameters

aivm, folder = sys.argv[1], sys.argv[2]
os.chdir(folder)
# Nothing of the person who runs this, and no way but to this machine.
os.environ.update(HOME=folder, NO_PROXY="*", no_proxy="*")

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

PROGRAMS = {
    "shout": """+++
[worker.shout]
run = "tr a-z A-Z"
effect = "pure"
+++
; Says it louder.
out <= ( switch[s] <= ( clean => next | cancel  shout => send ) ) <= in
""",
    "fails": """+++
[worker.x]
run = "echo no >&2; exit 3"
+++
out <= ( switch[s] <= ( x => send ) ) <= in
""",
    "slow": """+++
[worker.x]
run = "echo begun > begun; sleep 600"
+++
out <= ( switch[s] <= ( x => send ) ) <= in
""",
    "add": """+++
[worker.add]
run = "sed 's/[^0-9,]//g' | awk -F, '{ printf \\"{\\\\\\"sum\\\\\\": %d}\\", $1 + $2 }'"
effect = "pure"
accepts = { schema = { type = "object", properties = { a = { type = "integer" }, b = { type = "integer" } }, required = ["a", "b"] } }
returns = "application/json"
+++
out <= ( switch[s] <= ( add => send ) ) <= in
""",
    "picture": """+++
[worker.paint]
run = "cat picture.png"
effect = "read"
returns = "image/png"
+++
out <= ( switch[s] <= ( paint => send ) ) <= in
""",
    # Its model is another server of this program.
    "talk": """+++
[worker.talk]
prompt = "Say it."
model = "here/shout"
+++
out <= ( switch[s] <= ( talk => send ) ) <= in
""",
}
ALL = [f"{name}.aivm" for name in PROGRAMS]


def serve(*args):
    """A server over HTTP, and where it is."""
    server = subprocess.Popen([aivm, *args, "--json", "-q"], stdout=subprocess.PIPE)
    return server, json.loads(server.stdout.readline())["url"]


def statuses():
    runs = json.loads(subprocess.check_output([aivm, "runs", "--json", "--most", "10000"]))["runs"]
    return [run["status"] for run in runs]


async def until(what, is_so):
    for _ in range(1200):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(what)


async def tools(client):
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(listed) == set(PROGRAMS), listed
    assert listed["shout"].description == "Says it louder."
    assert listed["shout"].annotations.read_only_hint and not listed["fails"].annotations.read_only_hint
    assert listed["add"].input_schema["required"] == ["a", "b"]

    told = []

    async def progress(so_far, total, message):
        told.append((so_far, message))

    result = await client.call_tool("shout", {"input": "hello"}, progress_callback=progress)
    assert not result.is_error and result.content[0].text == "HELLO\n", result
    assert result.meta["aivm/run"] and result.meta["aivm/status"] == "sent", result.meta
    assert [so_far for so_far, _ in told] == [1, 2, 3, 4] and told[3][1] == "s/shout#1 → send", told

    result = await client.call_tool("add", {"a": 2, "b": 40})
    assert result.structured_content == {"sum": 42}, result
    result = await client.call_tool("picture", {"input": ""})
    assert result.content[0].mime_type == "image/png" and base64.b64decode(result.content[0].data) == PICTURE, result
    result = await client.call_tool("talk", {"input": "hello"})
    assert result.content[0].text == "HELLO", result
    result = await client.call_tool("fails", {"input": ""})
    assert result.is_error and "E0717" in result.content[0].text and "aivm show" in result.content[0].text, result

    many = await asyncio.gather(*(client.call_tool("shout", {"input": f"call {n}"}) for n in range(24)))
    assert [one.content[0].text for one in many] == [f"CALL {n}\n" for n in range(24)]

    if os.path.exists("begun"):
        os.remove("begun")
    before = statuses().count("cancelled")
    call = asyncio.create_task(client.call_tool("slow", {"input": ""}))
    await until("it begins", lambda: os.path.exists("begun"))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await until("a cancelled call is a cancelled run", lambda: statuses().count("cancelled") == before + 1)


async def mcp_clients():
    for mode in ("auto", "legacy"):
        over_stdio = StdioServerParameters(command=aivm, args=["mcp", *ALL, "-q"], env=dict(os.environ))
        async with Client(over_stdio, mode=mode) as client:
            await tools(client)
            print(f"mcp over stdio, {mode}: {client.protocol_version}")
        server, url = serve("mcp", *ALL, "--http", "127.0.0.1:0")
        try:
            async with Client(url, mode=mode) as client:
                await tools(client)
                print(f"mcp over HTTP, {mode}: {client.protocol_version}")
        finally:
            server.terminate()
            assert server.wait(60) == 0


def openai_client():
    os.environ["CLIENTS_KEY"] = "s3cret"
    server, url = serve("openai", *ALL, "--listen", "127.0.0.1:0", "--key-env", "CLIENTS_KEY")
    try:
        client = openai.OpenAI(base_url=url, api_key="s3cret", timeout=60)
        assert {model.id for model in client.models.list()} == set(PROGRAMS)
        hello = [{"role": "user", "content": "hello"}]

        answer = client.chat.completions.create(model="shout", messages=hello)
        assert answer.choices[0].message.content == "HELLO\n" and answer.choices[0].finish_reason == "stop", answer
        for model, text in (("shout", "HELLO\n"), ("talk", "HELLO")):
            chunks = list(
                client.chat.completions.create(
                    model=model, messages=hello, stream=True, stream_options={"include_usage": True}
                )
            )
            said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            assert said == text and chunks[-1].usage.total_tokens >= 0, chunks

        answer = client.responses.create(model="shout", input="hello")
        assert answer.output_text == "HELLO\n" and answer.status == "completed", answer
        with client.responses.stream(model="talk", input="hello") as stream:
            kinds = [event.type for event in stream]
            assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds
            assert "response.output_text.delta" in kinds, kinds
            assert stream.get_final_response().output_text == "HELLO"

        before = len(statuses())
        for wrong, kind in (("none", openai.NotFoundError), ("fails", openai.UnprocessableEntityError)):
            try:
                client.chat.completions.create(model=wrong, messages=hello)
                raise SystemExit(f"{wrong} gave an answer")
            except kind as error:
                assert error.body["message"], error
        assert len(statuses()) == before + 1, "a run that failed is not asked for again"
        try:
            for _ in client.chat.completions.create(model="fails", messages=hello, stream=True):
                pass
            raise SystemExit("a stream of a run that fails ended well")
        except openai.APIError as error:
            assert "E0717" in str(error.body), error
        try:
            openai.OpenAI(base_url=url, api_key="wrong").models.list()
            raise SystemExit("it was let in with a wrong key")
        except openai.AuthenticationError:
            pass
        print("openai: chat completions and responses, at once and as streams")
    finally:
        server.terminate()
        assert server.wait(60) == 0


for name, text in PROGRAMS.items():
    with open(f"{name}.aivm", "w") as file:
        file.write(text)
with open("picture.png", "wb") as file:
    file.write(PICTURE)
model, url = serve("openai", "shout.aivm", "--listen", "127.0.0.1:0", "--ephemeral")
with open("aivm.toml", "w") as file:
    file.write(f'[provider.here]\nurl = "{url}"\n')
try:
    asyncio.run(mcp_clients())
    openai_client()
finally:
    model.terminate()
    model.wait(60)
