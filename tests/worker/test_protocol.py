"""Lines in, messages out, and nothing worse than a ProtocolError for any other line."""

import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phorhum_blender.worker.protocol import MAX_LINE, Command, Event, ProtocolError, decode, encode, read

MESSAGES = [
    Command("reconstruct", 3, {"photo": "Größe\n.jpg", "box": [1.5, 2, 3, 4]}),
    Command("find_people", 4, {"photo": "a.jpg"}),
    Command("devices", 5),
    Command("cancel", 3),
    Command("shutdown"),
    Event("stage", 3, text="Finding surface"),
    Event("progress", 3, fraction=1 / 3),
    Event("look", 3),
    Event("done", 3),
    Event("error", 3, text="No person – none.", cause="user"),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_survives_the_wall_on_one_line(message):
    line = encode(message)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert decode(line, type(message)) == message


GARBAGE = [
    b"",
    b"hello\n",
    b"[]\n",
    b"null\n",
    b"\xff\xfe\n",
    b"[" * 100_000,
    b'{"kind": "stage", "KINDS": []}',
    b'{"kind": "cancel", "JOBS": []}',
    b'{"kind": "stage", "surprise": 1}',
    b'{"kind": "explode"}',
    b'{"job": 1}',
    b'{"kind": ["stage"]}',
    b'{"kind": "stage", "job": "1"}',
    b'{"kind": "stage", "job": true}',
    b'{"kind": "stage", "job": 1.5}',
    b'{"kind": "stage", "text": null}',
    b'{"kind": "progress", "fraction": NaN}',
    b'{"kind": "progress", "fraction": Infinity}',
    b'{"kind": "stage", "job": 1',
]


@pytest.mark.parametrize("line", GARBAGE)
@pytest.mark.parametrize("message", [Command, Event])
def test_garbage_is_refused(line, message):
    with pytest.raises(ProtocolError):
        decode(line, message)


@settings(deadline=None)  # a busy machine is no failure
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(line):
    try:
        assert isinstance(decode(line, Event), Event)
    except ProtocolError:
        pass


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.sampled_from(["kind", "job", "text", "fraction", "cause", "x"]), st.none() | st.text()))
def test_any_object_is_a_message_or_refused(values):
    try:
        assert isinstance(decode(json.dumps(values).encode(), Event), Event)
    except ProtocolError:
        pass


def test_reading_goes_on_after_garbage_and_huge_lines():
    good = encode(Event("done", 1))
    huge = b'{"text": "' + b"x" * (3 * MAX_LINE) + b'"}\n'
    messages = list(read(io.BytesIO(good + b"garbage\n" + good + huge + good + b'{"kind": "do'), Event))
    assert [isinstance(m, Event) for m in messages] == [True, False, True, False, True, False]


def test_a_huge_line_without_an_end_is_not_kept():
    (message,) = read(io.BytesIO(b"x" * (MAX_LINE * 2)), Event)
    assert isinstance(message, ProtocolError)
