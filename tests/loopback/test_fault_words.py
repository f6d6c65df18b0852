"""The language in which faults are ordered on a command line."""

import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.faults import Fault, FaultKind, RequestKind
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError


def test_a_line_of_orders_is_read_in_its_sequence():
    text = "npm:upload:drop-after; crates_io:upload:500x2;\npypi:upload:429:retry-after=3 ; rubygems:index:late=10;"
    upload, index = RequestKind.UPLOAD, RequestKind.INDEX
    assert parse_faults(text) == (
        Fault(registry=RegistryName.NPM, request=upload, kind=FaultKind.DROP_AFTER),
        Fault(registry=RegistryName.CRATES_IO, request=upload, kind=FaultKind.ANSWER, status=500, times=2),
        Fault(registry=RegistryName.PYPI, request=upload, kind=FaultKind.ANSWER, status=429, retry_after=3),
        Fault(registry=RegistryName.RUBYGEMS, request=index, kind=FaultKind.LATE, seconds=10, times=None),
    )
    assert parse_faults(" ;\n; ") == ()


@pytest.mark.parametrize(
    "words",
    [
        "any:any:delay=0.25x3",
        "npm:upload:429x2:retry-after=3:package=@tasker-systems/tasker",
        "npm:upload:503:retry-after-date=3:always",
        "crates_io:upload:403",
        "pypi:upload:part",
        "pypi:upload:part=0x7",
        "pypi:any:full",
        "pypi:upload:fullx1",
        "rubygems:index:late=86400",
        "rubygems:index:late=1.5x2",
        "rubygems:download:wrong-checksum",
        "crates_io:index:drop-before:always",
        "crates_io:download:drop-afterx12",
        "crates_io:upload:new-names=5:every=600",
        "crates_io:upload:new-names=1x2:every=0.5:package=tasker-cli",
    ],
)
def test_an_order_in_words_stays_the_same_through_reading_and_writing(words):
    (fault,) = parse_faults(words)
    assert str(fault) == words
    assert Fault.model_validate_json(fault.model_dump_json()) == fault


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("npm:read:500", "npm:index:500"),
        ("npm:upload:refuse", "npm:upload:403"),
        ("npm:upload:refuse=400", "npm:upload:400"),
        ("npm:upload:500:times=2", "npm:upload:500x2"),
        ("npm : upload : 500 : always", "npm:upload:500:always"),
        ("npm:index:late=9:always", "npm:index:late=9"),
        ("crates_io:any:new-names:every=9", "crates_io:any:new-names=1:every=9:always"),
    ],
)
def test_some_orders_can_be_said_in_two_ways(words, same):
    assert parse_faults(words) == parse_faults(same)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("npn:upload:500", "unknown registry `npn`; there are crates_io, rubygems, pypi, npm, any"),
        ("npm:uplaod:500", "unknown request `uplaod`; there are upload, index, download, any, read"),
        ("npm:upload:explode", "unknown fault `explode`; there are delay, drop-before, drop-after, late"),
        ("npm:upload:answer", "unknown fault `answer`"),
        ("npm:upload:500x", "unknown fault `500x`"),
        ("npm:upload:500:retry=3", "unknown option `retry=3`; there are always, times=..., retry-after=..."),
        ("npm:upload:500:package", "unknown option `package`"),
        ("npm:upload", "expected REGISTRY:REQUEST:FAULT"),
        ("npm:upload:500:times=often", "`often` is not a number"),
        ("npm:upload:delay=", "`` is not a number"),
        ("npm:upload:delay", "`delay` takes seconds"),
        ("npm:upload:drop-before=3", "`drop-before` takes no value"),
        ("npm:upload:500=3", "`500` takes no value"),
        ("npm:upload:200", "status: Input should be greater than or equal to 400"),
        ("npm:upload:500x0", "times: Input should be greater than or equal to 1"),
        ("npm:upload:delay=nan", "seconds: "),
        ("npm:upload:drop-after:retry-after=3", "`drop-after` has no answer for a Retry-After to stand in"),
        ("npm:upload:late=3", "`late` is a fault of index, not of `upload`"),
        ("npm:index:full", "`full` is a fault of upload, not of `index`"),
        ("npm:upload:new-names=5:every=9", "`new-names` is a limit of crates_io alone"),
        ("crates_io:upload:new-names=5", "`new-names` takes seconds"),
        ("crates_io:upload:new-names=0:every=9", "`new-names` accepts one at least"),
        ("npm:upload:delay=3:every=9", "`every` belongs to `new-names`"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_there_is(words, said):
    with pytest.raises(InputError) as error:
        parse_faults(f"any:any:500; {words}")
    assert said in str(error.value)
    assert words in str(error.value)
