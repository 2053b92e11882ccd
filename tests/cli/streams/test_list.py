"""``dynamo-es streams``: the categories, and the streams of one."""

from dynamo_es import StreamId
from tests.cli.stores import append, lines


def test_streams_of_a_category(run, stored):
    assert lines(run("streams", "--category", "account", "--json")) == [
        {"stream": str(StreamId(name="ann")), "name": "ann", "version": 2}
    ]
    assert run("streams", "--category", "account").out == f"{StreamId(name='ann')} 2 ann\n"
    assert run("streams", "--category", "none").out == ""


def test_streams_without_a_category_are_listed(run, stored):
    append(stored, StreamId(name="plain"), 1)
    assert run("streams", "--no-category").out == f"{StreamId(name='plain')} 1 plain\n"
    assert run("streams", "--no-category", "--category", "account").status == 2


def test_streams_lists_the_categories_first(run, stored):
    append(stored, StreamId(name="plain"), 1)

    ended = run("streams")

    assert ended.out.splitlines() == ["(without a category)", "account", "other"]
    assert ended.err == ("3 categories. To list the streams: dynamo-es streams --category NAME\n")
    assert lines(run("streams", "--json")) == [
        {"category": None, "tenant": ""},
        {"category": "account", "tenant": ""},
        {"category": "other", "tenant": ""},
    ]


def test_one_category_is_one(run, stored):
    ended = run("streams", "--tenant", "acme")
    assert (ended.out, ended.err.split(".")[0]) == ("account\n", "1 category")


def test_a_tenant_without_streams_is_told_of_the_others(run, stored):
    ended = run("streams", "--tenant", "nobody")
    assert (ended.status, ended.out) == (0, "")
    assert ended.err == (
        "The tenant nobody has no streams in the log. Tenants (--tenant) with streams: the "
        "default one, 'acme'.\n"
    )
