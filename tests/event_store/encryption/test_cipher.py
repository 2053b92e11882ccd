"""A sealed value comes back only with its key and in its place."""

import sys
from base64 import b64decode, b64encode
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynamo_es.event_store.encryption.cipher import Cipher, UnsealError, place_of
from dynamo_es.exceptions import InputError, MissingExtraError
from dynamo_es.values import StreamId, SubjectKey

KEY = SubjectKey("0123456789abcdef", bytes(range(32)))
EVENT = UUID(int=9)
STREAM = StreamId(UUID(int=7), category="Order")
PLACE = place_of("acme", STREAM, EVENT, "/email")

texts = st.text(st.characters(exclude_categories=["Cs"]))
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)


def same(one, other):
    return repr(one) == repr(other)


@given(json)
@example(-0.0)
@example(10**4000)
@example("\x00é🐢\u2028")
def test_any_json_comes_back_equal_and_of_the_same_type(value):
    cipher = Cipher(KEY)
    assert same(cipher.unseal(cipher.seal(value, PLACE), PLACE), value)


def test_it_is_base64_of_a_nonce_the_ciphertext_and_a_tag():
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealed = b64decode(Cipher(KEY).seal("ann@example.org", PLACE))
    assert len(sealed) == 12 + len('"ann@example.org"') + 16
    assert AESGCM(KEY.secret).decrypt(sealed[:12], sealed[12:], PLACE) == b'"ann@example.org"'


def test_nonces_do_not_repeat():
    cipher = Cipher(KEY)
    assert len({b64decode(cipher.seal("x", PLACE))[:12] for _ in range(1000)}) == 1000


@pytest.mark.parametrize("index", [0, 11, 12, 20, -17, -16, -1])
def test_one_altered_bit_is_noticed(index):
    cipher = Cipher(KEY)
    sealed = bytearray(b64decode(cipher.seal("a longer text than that", PLACE)))
    sealed[index] ^= 1
    with pytest.raises(UnsealError):
        cipher.unseal(b64encode(sealed).decode(), PLACE)


@pytest.mark.parametrize("text", ["", "é", "****", "AAAA", None, 7, b64encode(bytes(27)).decode()])
def test_what_was_never_sealed_is_noticed(text):
    with pytest.raises(UnsealError):
        Cipher(KEY).unseal(text, PLACE)


@pytest.mark.parametrize(
    "other",
    [
        place_of("", STREAM, EVENT, "/email"),
        place_of("acme", StreamId(UUID(int=7)), EVENT, "/email"),
        place_of("acme", StreamId(UUID(int=7), category=""), EVENT, "/email"),
        place_of("acme", StreamId(UUID(int=8), category="Order"), EVENT, "/email"),
        place_of("acme", STREAM, UUID(int=10), "/email"),
        place_of("acme", STREAM, EVENT, "/name"),
    ],
)
def test_another_place_is_noticed(other):
    cipher = Cipher(KEY)
    sealed = cipher.seal("x", PLACE)
    with pytest.raises(UnsealError):
        cipher.unseal(sealed, other)


def test_another_key_is_noticed():
    with pytest.raises(UnsealError):
        Cipher(SubjectKey.random()).unseal(Cipher(KEY).seal("x", PLACE), PLACE)


tricky = st.text(st.sampled_from('",\\[]/a\ud800é'), max_size=4)
places = st.tuples(tricky, st.none() | tricky, tricky)


@given(places, places)
@example(("a", "b", ""), ("ab", "", ""))
@example(("a", None, ""), ("aNone", "", ""))
@example(("a", None, ""), ("a", "null", ""))
@example(('a","b', "c", ""), ("a", 'b","c', ""))
def test_no_two_places_have_one_encoding(one, other):
    def encoded(place):
        tenant, category, pointer = place
        return place_of(tenant, StreamId(UUID(int=7), category=category), EVENT, pointer)

    assert (encoded(one) == encoded(other)) == (one == other)


def test_the_name_of_a_stream_is_no_part_of_the_place():
    named = StreamId(name="order 1", category="c")
    stored = StreamId(UUID(int=named.int), category="c")
    event = uuid4()
    assert place_of("t", named, event, "/x") == place_of("t", stored, event, "/x")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingExtraError, match=r"dynamo_es\[encryption\]"):
        Cipher(KEY)


# Keys


def test_a_key_does_not_show_its_secret():
    key = SubjectKey.random()
    assert repr(key) == f"SubjectKey(id={key.id!r})"
    assert len(key.id) == 16
    assert len(key.secret) == 32
    assert key != SubjectKey.random()


@pytest.mark.parametrize(
    "changes",
    [{"id": "short"}, {"id": "0123456789ABCDEF"}, {"id": None}, {"secret": b"x"}, {"secret": "x"}],
)
def test_a_key_has_one_form(changes):
    with pytest.raises(InputError, match="key's"):
        replace(KEY, **changes)
