"""The stack: proposed, carried out, abandoned, extended and deleted, against CloudFormation over HTTP.

moto makes the resources for real, all but the SNS subscription, the topic's policy and the budget, which it leaves out
without a word. It does everything at once, never fails, does not know EmptyOnDelete, keeps a role's first policy for
ever, and calls service-linked roles by other names than AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from pdfbatch.errors import AccessDenied, NotReady, UsageError
from pdfbatch.fleet.aws_queries import GPU_AMI
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.names import TAG_STACK, Names
from pdfbatch.fleet.policies import SERVICE_ROLES
from pdfbatch.fleet.setup import abandon, carry_out, current_wish, delete, propose
from pdfbatch.fleet.template import SetupWish, template
from tests.fleet.conftest import TRUST, Account
from tests.fleet.policy_evaluation import allows

WISH = SetupWish(inputs=("s3://docs/in/",), outputs=("s3://docs/out/",))
NAMES = WISH.names
MADE = {"Role", "Profile", "SecurityGroup", "LogGroup", "Topic", "Repository"}


@cache
def clients_at(endpoint: str) -> Clients:
    """Making clients takes longer than using them."""
    return Clients()


@pytest.fixture
def clients(account: Account) -> Clients:
    return clients_at(account.endpoint)


def at_once(_: float) -> None:
    """No pause."""


def set_up(account: Account, wish: SetupWish = WISH) -> None:
    clients = clients_at(account.endpoint)
    carry_out(clients, propose(clients, wish, at_once), at_once)


def with_service_roles(account: Account) -> None:
    """As an account has them in which Spot was used before."""
    for role, service in SERVICE_ROLES.items():
        account.client("iam").create_role(
            RoleName=role, Path=f"/aws-service-role/{service}/", AssumeRolePolicyDocument=json.dumps(TRUST)
        )


def stacks(account: Account) -> list[str]:
    found = account.client("cloudformation").describe_stacks()["Stacks"]
    return [stack["StackName"] for stack in found]


def left(account: Account, names: Names = NAMES) -> set[str]:
    """What of the stack's things is in the account."""
    ask: dict[str, Callable[[], Any]] = {
        "Role": lambda: account.client("iam").get_role(RoleName=names.role("us-east-1")),
        "Profile": lambda: account.client("iam").get_instance_profile(InstanceProfileName=names.role("us-east-1")),
        "SecurityGroup": lambda: account.client("ec2").describe_security_groups(GroupNames=[names.security_group]),
        "LogGroup": lambda: account.client("logs").list_tags_log_group(logGroupName=names.log_group),
        "Topic": lambda: account.client("sns").get_topic_attributes(
            TopicArn=names.topic_arn("us-east-1", "123456789012")
        ),
        "Repository": lambda: account.client("ecr").describe_repositories(repositoryNames=[names.repository]),
    }
    found = set()
    for name, question in ask.items():
        try:
            question()
            found.add(name)
        except Exception as error:
            assert "NotFound" in str(error) or "NoSuch" in str(error) or "does not exist" in str(error), error
    return found


def test_a_proposal_lists_the_changes_and_makes_none(account: Account, clients: Clients) -> None:
    proposal = propose(clients, WISH, at_once)
    assert proposal.kind == "create"
    assert {change.name for change in proposal.changes} == MADE | set(SERVICE_ROLES)
    assert {change.action for change in proposal.changes} == {"Add"}
    assert "AWS::IAM::Role" in {change.type for change in proposal.changes}
    assert '"RoleName": "pdfbatch-us-east-1-worker"' in proposal.template
    assert left(account) == set()


def test_carrying_out_a_proposal_creates_everything(account: Account, clients: Clients) -> None:
    set_up(account)
    assert left(account) == MADE
    assert stacks(account) == ["pdfbatch"]
    asked = [call["parameters"]["AWSServiceName"] for call in account.calls("CreateServiceLinkedRole")]
    assert asked == ["spot.amazonaws.com", "ec2fleet.amazonaws.com"]
    assert current_wish(clients, NAMES) == WISH


def test_an_abandoned_proposal_leaves_nothing_and_abandoning_is_idempotent(account: Account, clients: Clients) -> None:
    proposal = propose(clients, WISH, at_once)
    abandon(clients, proposal)
    assert left(account) == set()
    assert stacks(account) == []
    account.order("faults", [{"action": "DeleteChangeSet", "code": "ChangeSetNotFound", "message": "gone"}])
    abandon(clients, proposal)


def test_the_same_setup_again_changes_nothing(account: Account, clients: Clients) -> None:
    with_service_roles(account)
    set_up(account)
    proposal = propose(clients, WISH, at_once)
    assert (proposal.kind, proposal.changes, proposal.change_set) == ("nothing", [], "")
    carry_out(clients, proposal, at_once)
    abandon(clients, proposal)
    assert left(account) == MADE
    assert account.client("cloudformation").list_change_sets(StackName="pdfbatch")["Summaries"][1:] == []


def test_a_second_setup_with_other_urls_adds_them(account: Account, clients: Clients) -> None:
    with_service_roles(account)
    set_up(account)
    second = SetupWish(inputs=("s3://more/in/",), outputs=("s3://more/out/",))
    proposal = propose(clients, second, at_once)
    assert proposal.kind == "update"
    assert {change.action for change in proposal.changes} == {"Modify"}
    assert "Role" in {change.name for change in proposal.changes}
    carry_out(clients, proposal, at_once)
    wish = current_wish(clients, NAMES)
    assert wish.inputs == ("s3://docs/in/", "s3://more/in/")
    stack = account.client("cloudformation").get_template(StackName="pdfbatch")["TemplateBody"]
    policy = stack["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    assert allows(policy, "s3:PutObject", "arn:aws:s3:::docs/out/a.md")
    assert allows(policy, "s3:PutObject", "arn:aws:s3:::more/out/a.md")


def test_an_abandoned_update_leaves_the_stack_as_it_was(account: Account, clients: Clients) -> None:
    with_service_roles(account)
    set_up(account)
    abandon(clients, propose(clients, WISH._replace(inputs=("s3://more/in/",)), at_once))
    assert current_wish(clients, NAMES) == WISH
    assert left(account) == MADE


def test_two_stacks_share_nothing(account: Account, clients: Clients) -> None:
    with_service_roles(account)
    set_up(account)
    other = Names("scans")
    set_up(account, WISH._replace(names=other))
    assert delete(clients, NAMES, at_once)
    assert left(account) == set()
    assert left(account, other) == MADE


def test_two_regions_of_one_account_can_both_be_set_up(account: Account, clients: Clients) -> None:
    with_service_roles(account)
    set_up(account)
    there = Clients("eu-central-1")
    carry_out(there, propose(there, WISH, at_once), at_once)
    roles = {role["RoleName"] for role in account.client("iam").list_roles()["Roles"]}
    assert {"pdfbatch-us-east-1-worker", "pdfbatch-eu-central-1-worker"} <= roles
    assert delete(there, NAMES, at_once)
    assert left(account) == MADE


def test_delete_leaves_nothing_and_says_so_the_second_time(account: Account, clients: Clients) -> None:
    set_up(account)
    assert delete(clients, NAMES, at_once) is True
    assert left(account) == set()
    assert stacks(account) == []
    assert delete(clients, NAMES, at_once) is False


def test_missing_service_linked_roles_alone_are_created(account: Account, clients: Clients) -> None:
    set_up(account)
    proposal = propose(clients, WISH, at_once)
    assert proposal.service_roles == list(SERVICE_ROLES)
    assert (proposal.kind, proposal.change_set) == ("update", "")
    account.order("faults", [fault("CreateServiceLinkedRole", "InvalidInput", TAKEN, times=2)])  # created meanwhile
    carry_out(clients, proposal, at_once)


TAKEN = "Service role name AWSServiceRoleForEC2Spot has been taken in this account, please try a different suffix."


def fault(action: str, code: str, message: str = "no", **more: Any) -> dict[str, Any]:
    return {"action": action, "code": code, "message": message, **more}


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (SetupWish(outputs=("s3://docs/out/",)), "at least one input and one output"),
        (SetupWish(inputs=("s3://docs/in/",)), "at least one input and one output"),
        (WISH._replace(budget_dollars=50.0), "needs an email address"),
        (WISH._replace(inputs=("/home/me/pdfs",)), "a fleet cannot reach it"),
    ],
)
def test_invalid_options_are_refused_before_any_call(
    account: Account, clients: Clients, wish: SetupWish, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        propose(clients, wish, at_once)
    assert stacks(account) == []


def test_a_budget_in_govcloud_is_refused_before_any_call(account: Account) -> None:
    wish = WISH._replace(email="me@example.org", budget_dollars=50.0)
    with pytest.raises(UsageError, match="A budget cannot be created in us-gov-west-1") as refusal:
        propose(Clients("us-gov-west-1"), wish, at_once)
    assert "Leave out --budget" in refusal.value.hint
    assert account.calls("CreateChangeSet") == []


def test_a_second_setup_need_not_repeat_the_urls(account: Account, clients: Clients) -> None:
    with_service_roles(account)
    set_up(account)
    proposal = propose(clients, SetupWish(email="me@example.org", budget_dollars=50.0), at_once)
    added = {change.name for change in proposal.changes if change.action == "Add"}
    assert added == {"Subscription", "FleetRule", "TopicPolicy", "Budget"}
    carry_out(clients, proposal, at_once)
    (rule,) = account.client("events").list_rules()["Rules"]
    (target,) = account.client("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"] == NAMES.topic_arn("us-east-1", "123456789012")
    assert propose(clients, SetupWish(), at_once).kind == "nothing"


def test_a_stack_not_made_by_pdfbatch_is_left_alone(account: Account, clients: Clients) -> None:
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "theirs"}}}}
    account.client("cloudformation").create_stack(StackName="pdfbatch", TemplateBody=json.dumps(topic))
    with pytest.raises(UsageError, match="was not made by pdfbatch"):
        propose(clients, WISH, at_once)
    with pytest.raises(UsageError, match="was not made by pdfbatch"):
        delete(clients, NAMES, at_once)
    assert stacks(account) == ["pdfbatch"]
    assert current_wish(clients, NAMES) == SetupWish()


def test_nothing_is_deleted_while_instances_run(account: Account, clients: Clients) -> None:
    set_up(account)
    machine = run_instance(account)
    with pytest.raises(NotReady, match=machine) as refusal:
        delete(clients, NAMES, at_once)
    assert "pdfbatch down" in refusal.value.hint
    assert left(account) == MADE
    account.client("ec2").terminate_instances(InstanceIds=[machine])
    assert delete(clients, NAMES, at_once) is True


def older(text: str) -> str:
    """A template of an older version, which named role and profile without the region."""
    return text.replace("pdfbatch-us-east-1-worker", "pdfbatch-worker")


def run_instance(account: Account) -> str:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": TAG_STACK, "Value": "pdfbatch"}]}]
    image = account.client("ssm").get_parameter(Name=GPU_AMI)["Parameter"]["Value"]
    run = account.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1, TagSpecifications=tags)
    return str(run["Instances"][0]["InstanceId"])


def test_a_role_with_an_older_name_is_not_replaced_while_instances_use_it(account: Account, clients: Clients) -> None:
    with_service_roles(account)
    text = older(json.dumps(template(WISH, "us-east-1", "123456789012")))
    account.client("cloudformation").create_stack(
        StackName="pdfbatch",
        TemplateBody=text,
        Tags=[{"Key": TAG_STACK, "Value": "pdfbatch"}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    instance = run_instance(account)
    with pytest.raises(NotReady, match=instance) as refusal:
        propose(clients, WISH, at_once)
    assert "pdfbatch down" in refusal.value.hint
    assert account.calls("CreateChangeSet") == []

    account.client("ec2").terminate_instances(InstanceIds=[instance])
    proposal = propose(clients, WISH, at_once)
    assert (proposal.kind, "Role" in {change.name for change in proposal.changes}) == ("update", True)


def test_a_role_with_the_current_name_may_be_extended_while_instances_use_it(
    account: Account, clients: Clients
) -> None:
    with_service_roles(account)
    set_up(account)
    run_instance(account)
    assert propose(clients, WISH._replace(inputs=("s3://more/in/",)), at_once).kind == "update"


def test_a_refusal_by_aws_names_the_permission_to_ask_for(account: Account, clients: Clients) -> None:
    said = "User: me is not authorized to perform: cloudformation:CreateChangeSet"
    account.order("faults", [fault("CreateChangeSet", "AccessDenied", said)])
    with pytest.raises(AccessDenied, match="cloudformation:CreateChangeSet"):
        propose(clients, WISH, at_once)


def test_the_change_set_names_its_capability_and_leaves_nothing_when_it_fails(
    account: Account, clients: Clients
) -> None:
    propose(clients, WISH, at_once)
    (call,) = account.calls("CreateChangeSet")
    wanted = call["parameters"]
    assert wanted["ChangeSetType"] == "CREATE"
    assert wanted["Capabilities"] == ["CAPABILITY_NAMED_IAM"]
    assert wanted["OnStackFailure"] == "DELETE"
    assert wanted["Tags"] == [{"Key": TAG_STACK, "Value": "pdfbatch"}]
