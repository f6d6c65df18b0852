"""The PyPI, asked over HTTP."""

import hashlib

import pytest

from tasker_release_pipeline.loopback.multipart import MalformedFormError, parse

from .packages import upload_wheel, wheel, wheel_name

JSON = {"accept": "application/vnd.pypi.simple.v1+json"}


def test_an_uploaded_wheel_is_listed_everywhere_and_downloads_byte_for_byte(registries, client):
    data, filename = wheel("tasker-py", "0.1.1"), wheel_name("tasker-py", "0.1.1")
    assert upload_wheel(client, registries, filename, data).status_code == 200
    host, sha256 = registries.endpoints.pypi, hashlib.sha256(data).hexdigest()
    page = client.get(f"{host}/simple/tasker-py/", headers=JSON)
    assert page.headers["content-type"].startswith("application/vnd.pypi.simple.v1+json")
    (file,) = page.json()["files"]
    assert (file["filename"], file["hashes"], file["requires-python"]) == (filename, {"sha256": sha256}, ">=3.9")
    assert client.get(file["url"]).content == data
    text = client.get(f"{host}/simple/tasker-py/", headers={"accept": "text/html"})
    assert f"{filename}#sha256={sha256}" in text.text
    document = client.get(f"{host}/pypi/tasker-py/json").json()
    assert document["info"]["version"] == "0.1.1"
    assert [found["digests"]["sha256"] for found in document["releases"]["0.1.1"]] == [sha256]


def test_bytes_that_look_like_a_form_survive_the_upload(registries, client):
    data = wheel("tasker-py", "0.1.1", text="\r\n--boundary\r\n\r\n\n\r")
    filename = wheel_name("tasker-py", "0.1.1")
    assert upload_wheel(client, registries, filename, data).status_code == 200
    assert client.get(f"{registries.endpoints.pypi}/files/tasker-py/{filename}").content == data


def test_the_same_file_again_is_a_success_and_other_content_is_refused(registries, client):
    filename = wheel_name("tasker-py", "0.1.1")
    first = wheel("tasker-py", "0.1.1")
    assert upload_wheel(client, registries, filename, first).status_code == 200
    assert upload_wheel(client, registries, filename, first).status_code == 200
    answer = upload_wheel(client, registries, filename, wheel("tasker-py", "0.1.1", text="changed"))
    assert answer.status_code == 400
    assert f"File already exists ('{filename}', with blake2_256 hash" in answer.text
    assert client.get(f"{registries.endpoints.pypi}/files/tasker-py/{filename}").content == first


@pytest.mark.parametrize("platform", ["linux_x86_64", "linux_aarch64"])
def test_a_plain_linux_tag_is_refused(registries, client, platform):
    filename = wheel_name("tasker-py", "0.1.1", platform)
    answer = upload_wheel(client, registries, filename, wheel("tasker-py", "0.1.1"))
    assert answer.status_code == 400
    assert f"Binary wheel '{filename}' has an unsupported platform tag '{platform}'." in answer.text


@pytest.mark.parametrize(
    "platform",
    ["manylinux_2_17_x86_64.manylinux2014_x86_64", "musllinux_1_2_aarch64", "macosx_11_0_arm64", "win_amd64", "any"],
)
def test_legal_platform_tags_are_taken(registries, client, platform):
    filename = wheel_name("tasker-py", "0.1.1", platform)
    assert upload_wheel(client, registries, filename, wheel("tasker-py", "0.1.1")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"version": "0.1.1-x"}, "Use a valid PEP 440 version"),
        ({"version": "0.1.1+local"}, "local versions"),
        ({"version": "0.1.2"}, "Version in filename should be '0.1.2' not '0.1.1'."),
        ({"name": "other"}, "Start filename for 'other'"),
        ({"name": "-bad"}, "invalid value for Name"),
        ({"sha256_digest": "0" * 64}, "The digest supplied does not match"),
        ({"blake2_256_digest": "0" * 64}, "The digest supplied does not match"),
        ({"sha256_digest": ""}, "Include at least one message digest"),
        ({":action": "submit"}, "Unknown action"),
    ],
)
def test_forms_that_pypi_refuses_are_refused(registries, client, fields, words):
    filename = wheel_name("tasker-py", "0.1.1")
    answer = upload_wheel(client, registries, filename, wheel("tasker-py", "0.1.1"), **fields)
    assert answer.status_code == 400
    assert words in answer.text
    assert client.get(f"{registries.endpoints.pypi}/simple/tasker-py/").status_code == 404


def test_a_wheel_whose_own_metadata_names_another_version_is_refused(registries, client):
    answer = upload_wheel(client, registries, wheel_name("tasker-py", "0.1.1"), wheel("tasker-py", "0.1.2"))
    assert answer.status_code == 400
    assert "METADATA" in answer.text


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_missing_or_wrong_token_is_refused(registries, client, token):
    filename = wheel_name("tasker-py", "0.1.1")
    answer = upload_wheel(client, registries, filename, wheel("tasker-py", "0.1.1"), token=token)
    assert (answer.status_code, "Invalid or non-existent authentication" in answer.text) == (403, True)


def test_names_are_normalised_and_equal_versions_are_one_release(registries, client):
    upload_wheel(client, registries, wheel_name("tasker-py", "0.1.1"), wheel("tasker-py", "0.1.1"))
    upload_wheel(client, registries, wheel_name("tasker-py", "0.1.1.0"), wheel("tasker-py", "0.1.1.0"))
    document = client.get(f"{registries.endpoints.pypi}/pypi/Tasker_Py/json").json()
    assert list(document["releases"]) == ["0.1.1"]
    assert len(client.get(f"{registries.endpoints.pypi}/pypi/tasker-py/0.1.1.0/json").json()["urls"]) == 2
    assert client.get(f"{registries.endpoints.pypi}/pypi/tasker-py/0.1.2/json").status_code == 404
    redirected = client.get(f"{registries.endpoints.pypi}/simple/Tasker_Py", follow_redirects=True)
    assert redirected.status_code == 200


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/plain", b""),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--x'),
        ("multipart/form-data; boundary=x", b"--x\r\nno end of headers\r\n--x--"),
    ],
)
def test_a_form_that_is_cut_off_is_not_read(content_type, body):
    with pytest.raises(MalformedFormError):
        parse(content_type, body)
