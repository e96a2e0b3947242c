"""What ``/openapi.json`` promises is what the server does."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="pip install 'deepfake-lightning[fuzz]'")

from schemathesis import GenerationMode  # noqa: E402
from schemathesis.core.failures import FailureGroup  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

SLOW = [pytest.mark.slow, pytest.mark.timeout(3600)]
CHECKS = [content_type_conformance, negative_data_rejection, response_headers_conformance,
          response_schema_conformance, status_code_conformance]  # fmt: skip


def test_every_example_is_as_its_own_schema_says(server):
    import jsonschema_rs  # comes with schemathesis

    document = server.client.get("/openapi.json").json()
    checked = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                for content in answer.get("content", {}).values():
                    examples = [each["value"] for each in content.get("examples", {}).values()]
                    examples += [content["example"]] if "example" in content else []
                    known = {**content.get("schema", {}), "components": document["components"]}
                    for example in examples:
                        faults = list(jsonschema_rs.iter_errors(known, example))
                        assert not faults, (method, path, status, faults[0].message)
                        checked += 1
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            known = {**schema, "components": document["components"]}
            assert jsonschema_rs.is_valid(known, example), name
            checked += 1
    assert checked > 40


def test_what_is_described_is_what_there_is(server):
    document = server.client.get("/openapi.json").json()
    assert "HTTPValidationError" not in str(document)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert "403" in operation["responses"], (method, path)
            assert operation["summary"] and operation["description"]
            refused = [each for status, each in operation["responses"].items()
                       if status >= "400" and path != "/readyz"]  # fmt: skip
            assert all("Refused" in str(each["content"]) for each in refused), (method, path)


@pytest.mark.parametrize("asks", [False, True])
def test_tokens_are_described_as_they_are_asked_for(serve, asks):
    server = serve(token="0123456789abcdef-test" if asks else None, asks=asks)
    document = server.client.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert [(each["type"], each["scheme"]) for each in schemes.values()] == [("http", "bearer")]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            token, *others = sorted(operation["security"], key=len, reverse=True)
            assert token.keys() == schemes.keys()
            is_needed = asks and "401" in operation["responses"]
            assert others == ([] if is_needed else [{}]), (method, path)


def test_what_may_fail_is_described(server):
    paths = server.client.get("/openapi.json").json()["paths"]
    kept = [each for path, methods in paths.items() if path.startswith("/v1/")
            for each in methods.values()]  # fmt: skip
    assert all("503" in each["responses"] for each in kept)
    assert {"401", "403", "429", "501"} <= paths["/metrics"]["get"]["responses"].keys()


@pytest.mark.parametrize("count", [40, pytest.param(400, marks=SLOW)])
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_one_that_is_described(server, mode, count):
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    for found in schema.get_all_operations():
        check(found.ok(), mode, count)


def check(operation, mode, count):
    """Ask for an operation so many times, with what its description allows or does not."""

    @settings(max_examples=count, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=operation.as_strategy(mode))
    def ask(case):
        answer = case.call(timeout=30)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        case.validate_response(answer, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:  # there is nothing that could be wrong: it takes no input
        assert not any((operation.query.items, operation.headers.items, operation.body.items))
    except FailureGroup as failed:
        pytest.fail(f"{operation.label}: {failed}\n{failed.exceptions}")
