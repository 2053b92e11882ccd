"""Reads a template and resolves it as CloudFormation does."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from dynamo_es.dynamodb.tables import template
from dynamo_es.dynamodb.tables.template import load_template, parse_yaml, resolve_tables
from dynamo_es.exceptions import ConfigurationError, MissingExtraError


def a_template(properties, **sections):
    table = {"Type": "AWS::DynamoDB::Table", "Properties": properties}
    return {"Resources": {"Table": table}, **sections}


def resolved(value, parameters=None, **sections):
    return resolve_tables(a_template({"Value": value}, **sections), parameters)["Table"]["Value"]


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("!Ref Key", {"Ref": "Key"}),
        ("!Condition HasKey", {"Condition": "HasKey"}),
        ("!Sub '${Prefix}-log'", {"Fn::Sub": "${Prefix}-log"}),
        ("!GetAtt Table.Arn", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("!GetAtt [Table, Arn]", {"Fn::GetAtt": ["Table", "Arn"]}),
        ("!GetAtt Table.Stream.Arn", {"Fn::GetAtt": ["Table", "Stream.Arn"]}),
        ("!Equals [!Ref A, b]", {"Fn::Equals": [{"Ref": "A"}, "b"]}),
        ("!If [C, {x: !Ref A}, 2]", {"Fn::If": ["C", {"x": {"Ref": "A"}}, 2]}),
        ("!Transform {Name: !Ref A}", {"Fn::Transform": {"Name": {"Ref": "A"}}}),
    ],
)
def test_short_tags_are_read_in_their_long_form(short, long):
    assert parse_yaml(f"value: {short}") == {"value": long}


def test_other_users_of_yaml_do_not_learn_the_tags():
    parse_yaml("value: !Ref A")
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load("value: !Ref A")


def test_only_plain_data_can_be_made_from_a_template():
    assert parse_yaml("value: !!str 1") == {"value": "1"}
    with pytest.raises(yaml.YAMLError):
        parse_yaml("value: !!python/object/apply:os.getcwd []")


def test_a_reference_has_its_default_or_the_value_given():
    declared = {"Days": {"Type": "Number", "Default": 28}}
    assert resolved({"Ref": "Days"}, Parameters=declared) == 28
    assert resolved({"Ref": "Days"}, {"Days": 3}, Parameters=declared) == 3


def test_text_is_completed_wherever_it_names_a_parameter():
    declared = {"Prefix": {"Default": "shop"}, "Stage": {"Default": "test"}}
    text = {"Fn::Sub": "${Prefix}-${Stage}-events"}
    assert resolved(text, Parameters=declared) == "shop-test-events"


@pytest.mark.parametrize(("key", "encrypted"), [("", False), ("arn:aws:kms:…", True)])
def test_a_condition_chooses(key, encrypted):
    value = resolved(
        [{"Fn::If": ["HasKey", {"Enabled": True, "Key": {"Ref": "Key"}}, {"Enabled": False}]}],
        {"Key": key},
        Parameters={"Key": {"Default": "unset"}},
        Conditions={"HasKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Key"}, ""]}]}},
    )
    assert value == [{"Enabled": True, "Key": key} if encrypted else {"Enabled": False}]


def test_a_number_equals_its_digits():
    value = resolved(
        {"Fn::If": ["IsThree", "yes", "no"]},
        Parameters={"Days": {"Default": 3}},
        Conditions={"IsThree": {"Fn::Equals": [{"Ref": "Days"}, "3"]}},
    )
    assert value == "yes"


def test_the_branch_not_taken_need_not_be_resolvable():
    value = resolved(
        {"Fn::If": ["Never", {"Fn::ImportValue": "x"}, "here"]},
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}},
    )
    assert value == "here"


def test_what_is_no_table_is_left_aside():
    resources = {"Topic": {"Type": "AWS::SNS::Topic"}}
    assert resolve_tables({"Resources": resources}) == {}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"Ref": "AWS::StackName"}, "refers to AWS::StackName"),
        ({"Fn::Sub": "${AWS::StackName}-x"}, "refers to AWS::StackName"),
        ({"Fn::GetAtt": ["Table", "Arn"]}, "Fn::GetAtt"),
        ({"Fn::Sub": ["${a}", {"a": 1}]}, "Fn::Sub"),
        ({"Fn::If": ["Unknown", 1, 2]}, "no condition Unknown"),
    ],
)
def test_what_only_cloudformation_knows_is_refused(value, message):
    with pytest.raises(ConfigurationError, match=message):
        resolved(value)


def test_an_unknown_parameter_is_refused_by_name():
    with pytest.raises(ConfigurationError, match="no parameters Prefx"):
        resolved(1, {"Prefx": "shop"}, Parameters={"Prefix": {"Default": "x"}})


def test_a_parameter_without_value_is_refused():
    with pytest.raises(ConfigurationError, match="Name, which has no value"):
        resolved({"Ref": "Name"}, Parameters={"Name": {"Type": "String"}})


def test_a_checkout_reads_its_yaml():
    assert load_template() == parse_yaml(template.CHECKOUT.read_text(encoding="utf-8"))


def test_a_package_reads_its_json_even_beside_a_checkout(monkeypatch, tmp_path):
    packaged = tmp_path / template.PACKAGED
    packaged.parent.mkdir(parents=True)
    packaged.write_text(json.dumps({"Resources": {}}), encoding="utf-8")
    monkeypatch.setattr(template, "files", lambda _: tmp_path)
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert load_template() == {"Resources": {}}


def test_a_checkout_without_pyyaml_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"dynamo_es\[local\]") as caught:
        load_template()
    assert caught.value.extra == "local"


def test_a_damaged_installation_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(template, "files", lambda _: tmp_path)
    monkeypatch.setattr(template, "CHECKOUT", tmp_path / "event-store.yaml")
    with pytest.raises(ConfigurationError, match="install dynamo_es again"):
        load_template()
