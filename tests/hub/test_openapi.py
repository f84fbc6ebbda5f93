"""The document of the local Hub says what its routes take."""

from __future__ import annotations

import inspect
import re
from typing import Any

import httpx2
import pytest
from huggingface_hub import HfApi

from tests.conftest import LocalHub


@pytest.fixture(scope="module")
def document(hub: LocalHub) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{hub.url}/.well-known/openapi.json", timeout=30).json()
    return found


def test_it_says_that_it_is_not_the_real_hubs_document(document: dict[str, Any], hub: LocalHub) -> None:
    assert "Not the real Hub's document" in document["info"]["description"]
    assert document["servers"] == [{"url": hub.url}] and document["openapi"].startswith("3.1")


def test_every_parameter_of_a_path_is_described_and_placed(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for about in methods.values():
            placed = {each["name"] for each in about["parameters"] if each["in"] == "path"}
            assert placed == set(re.findall(r"\{(\w+)\}", path)), path


def test_what_the_client_asks_for_in_lists_is_described(document: dict[str, Any]) -> None:
    query = {each["name"] for each in document["paths"]["/api/models"]["get"]["parameters"]}
    assert {"search", "author", "filter", "sort", "limit", "full", "cursor", "expand"} <= query
    asked = inspect.signature(HfApi.list_models).parameters
    assert {"search", "author", "filter", "sort", "limit", "full", "expand"} <= set(asked)


def test_a_body_has_its_fields_and_says_which_must_be_there(document: dict[str, Any]) -> None:
    body = document["paths"]["/api/repos/create"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["name"] and {"type", "private", "organization"} <= set(body["properties"])
    assert "requestBody" not in document["paths"]["/api/models"]["get"]


def test_only_what_is_served_is_in_it(document: dict[str, Any], hub: LocalHub) -> None:
    assert "/api/webhooks" not in document["paths"] and "/login" not in document["paths"]
    for path, methods in document["paths"].items():
        if "get" in methods and "{" not in path and not path.startswith("/api/arxiv"):
            answer = httpx2.get(hub.url + path, headers={"Authorization": f"Bearer {hub.token}"}, timeout=30)
            assert answer.status_code < 500 and "No such endpoint" not in answer.text, path
    assert "No such endpoint" in httpx2.get(f"{hub.url}/api/no-such-path", timeout=30).text
