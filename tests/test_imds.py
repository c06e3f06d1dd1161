"""The stand-in for EC2's metadata service does what AWS's own clients expect of it."""

import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from tests.imds import Imds


def ask(url: str, method: str = "GET", body: bytes | None = None, **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with urllib.request.urlopen(urllib.request.Request(url, body, named, method=method)) as answer:
        return str(answer.read().decode())


def status(url: str, method: str = "GET", **headers: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(url, method, **headers)
    refused.value.close()
    return refused.value.code


def test_botocore_finds_region_and_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    with Imds() as imds:
        found = InstanceMetadataFetcher(base_url=imds.url).retrieve_iam_role_credentials()
        region = InstanceMetadataRegionFetcher(base_url=imds.url).retrieve_region()
    assert (found["role_name"], found["access_key"], region) == ("pdfbatch-worker", "testing", "us-east-1")


def test_without_a_good_token_nothing_is_told() -> None:
    with Imds() as imds:
        where, token = imds.url + "latest/meta-data/instance-id", imds.url + "latest/api/token"
        assert status(where) == status(where, X_aws_ec2_metadata_token="made up") == 401
        assert status(token, "PUT") == status(token, "PUT", X_aws_ec2_metadata_token_ttl_seconds="21601") == 400
        imds.longest_token = 0.0
        old = ask(token, "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
        assert status(where, X_aws_ec2_metadata_token=old) == 401


def test_it_runs_by_itself_and_obeys() -> None:
    command = [sys.executable, "-m", "tests.imds", "127.0.0.1:0", "instance-id=i-7", "placement/region=eu-west-1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        url = service.stdout.readline().strip()
        good = ask(url + "latest/api/token", "PUT", X_aws_ec2_metadata_token_ttl_seconds="60")
        where = url + "latest/meta-data/spot/instance-action"
        assert status(where, X_aws_ec2_metadata_token=good) == 404
        ask(url + "_ctl/spot/instance-action", "PUT", b"{}")
        assert ask(where, X_aws_ec2_metadata_token=good) == "{}"
        ask(url + "_ctl/spot/instance-action", "DELETE")
        assert status(where, X_aws_ec2_metadata_token=good) == 404
        assert ask(url + "latest/meta-data/instance-id", X_aws_ec2_metadata_token=good) == "i-7"
        ask(url + "_fault", "PUT", b"503")
        assert status(url + "latest/meta-data/instance-id", X_aws_ec2_metadata_token=good) == 503
        service.kill()
