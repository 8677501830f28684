from __future__ import annotations

import io

from semseg_client.hosting.supervision.triton_log import TritonLog

START = """\
W1123 01:29:28.176215 13971 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory"
E1123 01:29:28.181133 13971 server.cc:241] "CudaDriverHelper has not been initialized."
I1123 01:29:28.183480 13971 model_lifecycle.cc:472] "loading: demo_network:1"
"""


def reason(text: str) -> str:
    log = TritonLog()
    log.read(io.StringIO(text))
    return log.reason()


def test_the_last_words_of_a_server_are_its_reason() -> None:
    assert reason(START + "error: creating server: Invalid argument - load failed for model 'demo'\n") == (
        "creating server: Invalid argument - load failed for model 'demo'"
    )


def test_errors_are_told_without_the_traceback_that_follows() -> None:
    line = (
        r'E1123 01:30:35.055 14578 model_lifecycle.cc:642] "failed to load \'demo\': Protobuf parsing failed.\n\nAt:\n  x.py(7)"'
    )
    assert reason(line).endswith("Protobuf parsing failed.")


def test_what_others_wrote_is_told_when_the_server_said_nothing() -> None:
    assert reason('I1123 01:29:28.1 13971 a.cc:1] "loading"\nlibdcgm.so: cannot open\n') == "libdcgm.so: cannot open"


def test_errors_of_a_start_that_went_well_can_be_forgotten() -> None:
    log = TritonLog()
    log.read(io.StringIO(START))
    log.clear()
    assert log.reason() == ""


def test_every_line_is_handed_on() -> None:
    lines: list[str] = []
    TritonLog(lines.append).read(io.StringIO(START))
    assert lines == START.splitlines()


def test_a_listener_that_fails_does_not_stop_the_reading() -> None:
    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    log = TritonLog(full)
    log.read(io.StringIO("error: one\nerror: two\n"))
    assert log.reason() == "one\ntwo"
