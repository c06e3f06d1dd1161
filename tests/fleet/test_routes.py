"""How the instances of a subnet reach AWS: pure, from answers as EC2 gives them."""

from __future__ import annotations

from typing import Any

import pytest

from pdfbatch.fleet.routes import ENDPOINTS, GATEWAY, NAT, NEEDED_ENDPOINTS, NONE, way_out

LOCAL = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local", "State": "active"}


def default(**target: str) -> dict[str, str]:
    return {"DestinationCidrBlock": "0.0.0.0/0", "State": "active"} | target


def table(*routes: dict[str, str], name: str = "rtb-main", subnet: str = "") -> dict[str, Any]:
    association = {"SubnetId": subnet, "Main": False} if subnet else {"Main": True}
    return {"RouteTableId": name, "Associations": [association], "Routes": [LOCAL, *routes]}


def endpoint(service: str, **more: Any) -> dict[str, Any]:
    known = {"ServiceName": f"com.amazonaws.us-east-1.{service}", "VpcEndpointType": "Interface", "State": "available"}
    return known | {"PrivateDnsEnabled": True} | more


def subnet(public: bool = True) -> dict[str, Any]:
    return {"SubnetId": "subnet-1", "VpcId": "vpc-1", "MapPublicIpOnLaunch": public}


@pytest.mark.parametrize(
    ("route", "public", "way"),
    [
        (default(GatewayId="igw-1"), True, GATEWAY),
        (default(GatewayId="igw-1"), False, NONE),
        (default(NatGatewayId="nat-1"), False, NAT),
        (default(TransitGatewayId="tgw-1"), False, NAT),
        (default(NetworkInterfaceId="eni-1", InstanceId="i-1"), False, NAT),
        (default(GatewayId="vgw-1"), False, NAT),
        (default(NatGatewayId="nat-1", State="blackhole"), False, NONE),
        ({"DestinationCidrBlock": "10.1.0.0/16", "NatGatewayId": "nat-1"}, False, NONE),
        (default(EgressOnlyInternetGatewayId="eigw-1") | {"DestinationCidrBlock": "::/0"}, True, NONE),
    ],
)
def test_a_default_route_counts_only_if_its_target_exists_and_passes_ipv4(
    route: dict[str, str], public: bool, way: str
) -> None:
    assert way_out(subnet(public), [table(route)], []) == way


def test_a_subnets_own_route_table_overrides_the_main_one() -> None:
    tables = [table(default(GatewayId="igw-1")), table(name="rtb-own", subnet="subnet-1")]
    assert way_out(subnet(), tables, []) == NONE
    assert way_out(subnet() | {"SubnetId": "subnet-2"}, tables, []) == GATEWAY


def test_without_a_route_every_needed_endpoint_must_exist() -> None:
    gateway = endpoint("s3", VpcEndpointType="Gateway", RouteTableIds=["rtb-main"], PrivateDnsEnabled=False)
    others = [endpoint(service) for service in NEEDED_ENDPOINTS if service != "s3"]
    assert way_out(subnet(False), [table()], [gateway, *others]) == ENDPOINTS
    assert way_out(subnet(False), [table()], [endpoint("s3"), *others]) == ENDPOINTS
    for missing in range(len(others)):
        assert way_out(subnet(False), [table()], [gateway, *others[:missing], *others[missing + 1 :]]) == NONE


@pytest.mark.parametrize(
    "flaw", [{"State": "pending"}, {"PrivateDnsEnabled": False}, {"VpcEndpointType": "Gateway", "RouteTableIds": []}]
)
def test_an_endpoint_that_does_not_serve_this_subnet_does_not_count(flaw: dict[str, Any]) -> None:
    endpoints = [endpoint("s3", **flaw), *(endpoint(service) for service in NEEDED_ENDPOINTS if service != "s3")]
    assert way_out(subnet(False), [table()], endpoints) == NONE


def test_a_vpc_without_a_route_table_has_no_route_out() -> None:
    assert way_out(subnet(), [], []) == NONE
