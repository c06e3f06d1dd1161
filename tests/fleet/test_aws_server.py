"""The simulated account does what aws_server.py says, called by boto3 and by the AWS CLI; for fleets see
test_simulated_fleets.py."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.fleet.conftest import SPOT_G_QUOTA, TRUST, Account
from tests.fleet.wishes import DEEP_LEARNING, fleet, refused, template, wish


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("InvalidParameterValue", {"IamInstanceProfile": {"Name": "nobody"}}),
        ("InvalidAMIID.NotFound", {"ImageId": "ami-0123456789abcdef0"}),
        ("InvalidBlockDeviceMapping", {"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}]}),
    ],
)
def test_an_unusable_template_fails_in_the_dry_run(still_account: Account, code: str, data: dict[str, Any]) -> None:
    made = template(still_account, **data)
    spec = {"LaunchTemplateId": made, "Version": "1"}
    with refused(code):
        still_account.client("ec2").run_instances(DryRun=True, MinCount=1, MaxCount=1, LaunchTemplate=spec)
    with refused(code):
        still_account.client("ec2").create_fleet(**wish(still_account, made))


def test_launch_templates_are_listed_fifteen_a_page(still_account: Account) -> None:
    ec2, data = still_account.client("ec2"), {"InstanceType": "g4dn.xlarge"}
    for number in range(17):
        tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "number", "Value": str(number)}]}]
        ec2.create_launch_template(LaunchTemplateName=f"t{number}", LaunchTemplateData=data, TagSpecifications=tags)
    first = ec2.describe_launch_templates(Filters=[{"Name": "tag-key", "Values": ["number"]}])
    assert len(first["LaunchTemplates"]) == 15
    rest = ec2.describe_launch_templates(NextToken=first["NextToken"])
    assert [found["LaunchTemplateName"] for found in rest["LaunchTemplates"]] == ["t15", "t16"]
    assert rest["LaunchTemplates"][1]["Tags"] == [{"Key": "number", "Value": "16"}]
    assert "NextToken" not in rest
    with refused("InvalidLaunchTemplateName.NotFoundException"):
        ec2.describe_launch_templates(LaunchTemplateNames=["nobody"])


def test_the_default_disk_key_is_the_aws_managed_one_until_another_is_set(account: Account) -> None:
    ec2 = account.client("ec2")
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == key


def test_a_good_dry_run_succeeds_and_too_much_user_data_is_refused(still_account: Account) -> None:
    spec = {"LaunchTemplateId": template(still_account), "Version": "1"}
    with refused("DryRunOperation"):
        still_account.client("ec2").run_instances(DryRun=True, MinCount=1, MaxCount=1, LaunchTemplate=spec)
    with refused("InvalidUserData.Malformed"):
        template(still_account, UserData=base64.b64encode(b"x" * 16_385).decode())


def test_prices_differ_by_zone_and_type_and_can_be_set(still_account: Account) -> None:
    def prices() -> dict[tuple[str, str], float]:
        found = still_account.client("ec2").describe_spot_price_history(
            InstanceTypes=["g4dn.xlarge", "g6.xlarge"],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.now(UTC),
        )["SpotPriceHistory"]
        return {(row["InstanceType"], row["AvailabilityZone"]): float(row["SpotPrice"]) for row in found}

    assert prices()["g4dn.xlarge", "us-east-1c"] == 0.18
    assert ("g4dn.xlarge", "us-east-1e") not in prices()
    assert prices()["g6.xlarge", "us-east-1b"] > prices()["g6.xlarge", "us-east-1a"] > 0.3
    still_account.order("prices", {"g4dn.xlarge": {"us-east-1b": 0.5}})
    assert prices()["g4dn.xlarge", "us-east-1b"] == 0.5


def test_the_price_history_goes_back_to_the_price_at_the_start_time(still_account: Account) -> None:
    start = datetime.now(UTC) - timedelta(days=1)
    found = still_account.client("ec2").get_paginator("describe_spot_price_history")
    pages = found.paginate(
        InstanceTypes=["g4dn.xlarge"], AvailabilityZone="us-east-1a", StartTime=start, PaginationConfig={"PageSize": 2}
    )
    times = [row["Timestamp"] for told_page in pages for row in told_page["SpotPriceHistory"]]
    assert len(times) == 5
    assert times == sorted(times, reverse=True)
    assert times[-1] <= start < times[-2]


def test_the_price_history_shows_when_a_price_rose(still_account: Account) -> None:
    still_account.order("clock", {"forward_seconds": 60})
    still_account.order("prices", {"g4dn.xlarge": {"us-east-1a": 0.4}})
    found = still_account.client("ec2").describe_spot_price_history(
        InstanceTypes=["g4dn.xlarge"], AvailabilityZone="us-east-1a"
    )["SpotPriceHistory"]
    assert [float(row["SpotPrice"]) for row in found[:2]] == [0.4, 0.19]
    assert found[0]["Timestamp"] > datetime.now(UTC) > found[1]["Timestamp"]


def test_the_price_list_distinguishes_a_plain_instance_from_other_products(account: Account) -> None:
    def prices(**wanted: str) -> list[float]:
        found = account.client("pricing").get_products(
            ServiceCode="AmazonEC2",
            Filters=[{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()],
        )["PriceList"]
        terms = [term for entry in found for term in json.loads(entry)["terms"]["OnDemand"].values()]
        return [float(each["pricePerUnit"]["USD"]) for term in terms for each in term["priceDimensions"].values()]

    of_type = {"instanceType": "g4dn.xlarge", "regionCode": "us-east-1"}
    plain = {"operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used"}
    assert prices(**of_type, **plain) == [0.526]
    assert len(prices(**of_type)) == 5 and 0.0 in prices(**of_type)
    assert prices(**of_type | {"regionCode": "eu-west-1"}, **plain) == []
    assert prices(volumeApiName="gp3", productFamily="Storage") == [0.08]
    assert len(prices(volumeApiName="gp3")) == 3


def test_placement_scores_are_listed_by_zone_id(still_account: Account) -> None:
    still_account.order("scores", {"us-east-1a": 3})
    ec2 = still_account.client("ec2")
    ids = {zone["ZoneName"]: zone["ZoneId"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]}
    found = ec2.get_spot_placement_scores(
        InstanceTypes=["g4dn.xlarge"], TargetCapacity=5, SingleAvailabilityZone=True, RegionNames=["us-east-1"]
    )["SpotPlacementScores"]
    assert {row["AvailabilityZoneId"]: row["Score"] for row in found}[ids["us-east-1a"]] == 3


def test_quotas_are_as_set_and_unknown_otherwise(account: Account) -> None:
    quotas = account.client("service-quotas")
    for ask in (quotas.get_service_quota, quotas.get_aws_default_service_quota):
        with pytest.raises(quotas.exceptions.NoSuchResourceException):
            ask(ServiceCode="ec2", QuotaCode=SPOT_G_QUOTA)
    account.order("quota", {"code": SPOT_G_QUOTA, "value": None, "default": 8})
    found = quotas.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=SPOT_G_QUOTA)["Quota"]
    assert (found["Value"], found["QuotaName"]) == (8.0, "All G and VT Spot Instance Requests")
    with pytest.raises(quotas.exceptions.NoSuchResourceException):
        quotas.get_service_quota(ServiceCode="ec2", QuotaCode=SPOT_G_QUOTA)


def test_the_public_image_exists_with_its_root_device(account: Account) -> None:
    image = account.client("ssm").get_parameter(Name=DEEP_LEARNING)["Parameter"]["Value"]
    [found] = account.client("ec2").describe_images(ImageIds=[image])["Images"]
    [root] = [disk for disk in found["BlockDeviceMappings"] if disk["DeviceName"] == found["RootDeviceName"]]
    assert (found["RootDeviceName"], root["Ebs"]["VolumeSize"]) == ("/dev/sda1", 75)


@pytest.mark.parametrize(
    ("service", "action", "ask"),
    [
        ("ec2", "DescribeFleets", {}),
        ("ec2", "DescribeVpcs", {}),
        ("service-quotas", "GetServiceQuota", {"ServiceCode": "ec2", "QuotaCode": "L-1"}),
        ("ssm", "GetParameter", {"Name": DEEP_LEARNING}),
        ("iam", "ListRoles", {}),
        ("sns", "ListTopics", {}),
        ("logs", "DescribeLogGroups", {}),
        ("cloudformation", "DescribeStacks", {}),
        ("sts", "GetCallerIdentity", {}),
    ],
)
def test_an_injected_error_has_the_format_of_each_service(
    account: Account, service: str, action: str, ask: dict[str, Any]
) -> None:
    client = account.client(service)
    call = {client.meta.method_to_api_mapping[name]: name for name in client.meta.method_to_api_mapping}[action]
    account.order("faults", [{"action": action, "code": "AccessDenied", "message": "not you", "status": 403}])
    with pytest.raises(ClientError) as error:
        getattr(client, call)(**ask)
    assert error.value.response["Error"]["Code"] == "AccessDenied"
    assert error.value.response["Error"]["Message"] == "not you"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_fault_can_wait_for_the_nth_call_and_last_for_several(still_account: Account) -> None:
    still_account.order(
        "faults", [{"action": "CreateFleet", "nth": 2, "times": 2, "code": "MaxSpotInstanceCountExceeded"}]
    )
    made = template(still_account)
    codes = []
    for _ in range(4):
        try:
            still_account.client("ec2").create_fleet(**wish(still_account, made))
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
        else:
            codes.append("")
    assert codes == ["", "MaxSpotInstanceCountExceeded", "MaxSpotInstanceCountExceeded", ""]
    assert [call["error"] for call in still_account.calls("CreateFleet")] == codes


def test_after_a_lost_answer_the_retry_finds_the_one_fleet(still_account: Account) -> None:
    still_account.order("faults", [{"action": "CreateFleet", "lose": True, "code": "InternalError", "status": 500}])
    made = fleet(still_account)
    assert [found["FleetId"] for found in still_account.client("ec2").describe_fleets()["Fleets"]] == [made]
    assert [call["error"] for call in still_account.calls("CreateFleet")] == ["InternalError", ""]


def test_faults_on_s3_work_as_with_the_s3_server(account: Account) -> None:
    bucket, s3 = account.bucket(), account.client("s3")
    account.order("faults", [{"method": "PUT", "key": "notes", "status": 403, "code": "AccessDenied"}])
    with refused("AccessDenied"):
        s3.put_object(Bucket=bucket, Key="notes", Body=b"x")
    s3.put_object(Bucket=bucket, Key="notes", Body=b"x", IfNoneMatch="*")
    with refused("PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="notes", Body=b"y", IfNoneMatch="*")


def test_objects_cannot_be_accessed_without_permission_for_the_buckets_key(account: Account) -> None:
    bucket, s3 = account.bucket(), account.client("s3")
    s3.put_object(Bucket=bucket, Key="old", Body=b"x")
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = [{"ApplyServerSideEncryptionByDefault": by_default, "BucketKeyEnabled": True}]
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    [found] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert found["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    s3.put_object(Bucket=bucket, Key="new", Body=b"x")
    account.order("denied", [key])
    with pytest.raises(ClientError, match=r"AccessDenied.*kms:GenerateDataKey on resource"):
        s3.put_object(Bucket=bucket, Key="newer", Body=b"x")
    with pytest.raises(ClientError, match=r"AccessDenied.*kms:Decrypt on resource"):
        s3.get_object(Bucket=bucket, Key="new")
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == 2
    s3.put_object(Bucket=account.bucket(), Key="elsewhere", Body=b"x")


def test_names_of_roles_and_budgets_are_per_account(account: Account) -> None:
    def make(region: str) -> None:
        iam = boto3.client("iam", endpoint_url=account.endpoint, region_name=region)
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))

    make("us-east-1")
    with refused("EntityAlreadyExists"):
        make("eu-west-1")
    budget = {"BudgetName": "b", "BudgetType": "COST", "TimeUnit": "MONTHLY"}
    budget |= {"BudgetLimit": {"Amount": "5", "Unit": "USD"}}
    account.client("budgets").create_budget(AccountId="123456789012", Budget=budget)
    abroad = boto3.client("budgets", endpoint_url=account.endpoint, region_name="eu-west-1")
    with refused("DuplicateRecordException"):
        abroad.create_budget(AccountId="123456789012", Budget=budget)


def test_calls_are_recorded_in_order_with_their_parameters(account: Account) -> None:
    account.client("ec2").describe_vpcs(VpcIds=[])
    account.client("sns").create_topic(Name="t")
    assert [(call["service"], call["action"]) for call in account.calls()] == [
        ("ec2", "DescribeVpcs"),
        ("sns", "CreateTopic"),
    ]
    assert account.calls("CreateTopic")[0]["parameters"]["Name"] == "t"


def test_what_is_published_to_the_topic_can_be_read(still_account: Account) -> None:
    topic = still_account.client("sns").list_topics()["Topics"][0]["TopicArn"]
    still_account.client("sns").publish(TopicArn=topic, Subject="done", Message="40 documents")
    assert [(found["Subject"], found["Message"]) for found in still_account.messages()] == [("done", "40 documents")]
    assert still_account.messages() == []


def test_the_image_in_the_repository_has_a_digest(still_account: Account) -> None:
    [found] = still_account.client("ecr").describe_images(repositoryName="pdfbatch")["imageDetails"]
    assert found["imageDigest"].startswith("sha256:")
    again = still_account.client("ecr").batch_get_image(
        repositoryName="pdfbatch", imageIds=[{"imageDigest": found["imageDigest"]}]
    )
    assert again["failures"] == []


def test_spot_instances_can_be_counted(still_account: Account) -> None:
    fleet(still_account)
    filters = [
        {"Name": "instance-lifecycle", "Values": ["spot"]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    assert len(still_account.client("ec2").describe_instances(Filters=filters)["Reservations"]) == 1


def test_an_account_is_empty_after_a_reset(still_account: Account) -> None:
    fleet(still_account)
    still_account.reset()
    assert still_account.instances() == []
    assert still_account.calls() == []
    assert still_account.client("ec2").describe_fleets()["Fleets"] == []
    assert still_account.client("iam").list_roles()["Roles"] == []


@pytest.mark.slow
def test_the_aws_cli_understands_the_answers_too(still_account: Account) -> None:
    made = fleet(still_account)

    def aws(*arguments: str) -> Any:
        command = [sys.executable, "-m", "awscli", "ec2", *arguments]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    found = aws("describe-fleets", "--fleet-ids", made)["Fleets"][0]
    assert (found["FleetState"], found["Tags"]) == ("active", [{"Key": "pdfbatch:run", "Value": "R"}])
    machine = still_account.instances()[0]["instance"]
    tag = "Name=key,Values=aws:ec2:fleet-id"
    assert aws("describe-tags", "--filters", f"Name=resource-id,Values={machine}", tag)["Tags"][0]["Value"] == made
    deletion = aws("delete-fleets", "--fleet-ids", made, "--terminate-instances")
    assert deletion["SuccessfulFleetDeletions"][0]["FleetId"] == made
    assert deletion["UnsuccessfulFleetDeletions"] == []
