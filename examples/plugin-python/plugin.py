"""A plugin worker in Python: it turns its input round. Needs `pip install pycapnp`; the two schemas are those of `schema/`.

    [worker.reverse]
    plugin = ["python3", "plugin.py", "SCHEMA-FOLDER"]
    effect = "read"
"""

import struct
import sys

import capnp

schema = sys.argv[1] if len(sys.argv) > 1 else "."
plugin = capnp.load(f"{schema}/plugin.capnp")
artifact = capnp.load(f"{schema}/artifact.capnp")


def send(frame):
    data = frame.to_bytes()
    sys.stdout.buffer.write(struct.pack("<I", len(data)) + data)
    sys.stdout.buffer.flush()


def artifact_of(data):
    # An artifact is one segment in canonical form: this is the table of segments before it.
    return artifact.Artifact.from_bytes(struct.pack("<II", 0, len(data) // 8) + data)


hello = plugin.Frame.new_message()
hello.init("hello").protocol = 1
hello.hello.name = "reverse"
send(hello)

while len(length := sys.stdin.buffer.read(4)) == 4:
    data = sys.stdin.buffer.read(struct.unpack("<I", length)[0])
    with plugin.Frame.from_bytes(data, traversal_limit_in_words=1 << 30) as frame:
        if frame.which() != "call":
            continue
        answer = plugin.Frame.new_message()
        result = answer.init("result")
        result.id = frame.call.id
        with artifact_of(frame.call.input) as value:
            text = value.payload.decode("utf-8", "replace").strip()
        output = result.init("output")
        output.type = "text/plain"
        output.payload = text[::-1].encode()
        send(answer)
