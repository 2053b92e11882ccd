"""Binary values are decoded as Python decodes them."""

from __future__ import annotations

from base64 import b64encode
from binascii import Error, a2b_base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynamo_es.dynamodb.wire.encoding import binary
from dynamo_es.dynamodb.wire.encoding.binary import decode


@given(st.binary(max_size=200))
def test_what_is_encoded_comes_back(value):
    assert decode(b64encode(value).decode()) == value


@given(st.text("Aa9+/=-_ \n\u00e9", max_size=8))
@example("YQ")
@example("YR==")
@example("YW-j")
@example("YW_j")
@example("YQ==YQ==")
@example("====")
@example("YWJj\nYWJj")
def test_other_text_is_decoded_as_by_python(text):
    def outcome(decoder):
        try:
            return decoder(text)
        except ValueError as error:
            return type(error), str(error)

    assert outcome(decode) == outcome(a2b_base64)


def test_text_of_dynamodb_does_not_take_pythons_decoder(monkeypatch):
    monkeypatch.setattr(binary, "a2b_base64", lambda _: pytest.fail("decoded by Python"))

    assert decode("AP/+") == b"\x00\xff\xfe"


def test_an_error_does_not_quote_the_value():
    with pytest.raises(Error) as caught:
        decode("secret")
    assert "secret" not in str(caught.value)
