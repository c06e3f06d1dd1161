"""How the instances of a subnet reach AWS: by an internet gateway, by NAT, or by endpoints inside their VPC.

An instance that cannot reach S3 can save nothing and tell nothing, so such a subnet is known before a launch.
Source: VPC guide, "Route tables", "Internet gateways", "VPC endpoints".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pdfbatch import aws
from pdfbatch.errors import PdfbatchError
from pdfbatch.fleet.clients import Clients

GATEWAY, NAT, ENDPOINTS, NONE = "internet gateway", "NAT", "endpoints", ""
PREFERENCE = (GATEWAY, NAT, ENDPOINTS, None, NONE)
"""Cheapest first: what passes NAT or an interface endpoint is billed by the gigabyte. None: it could not be asked."""
NEEDED_ENDPOINTS = ("s3", "ecr.api", "ecr.dkr", "logs", "ec2")
"""What a worker cannot do without where its subnet has no route out."""
_EVERYWHERE = "0.0.0.0/0"
_ROUTERS = (
    "NatGatewayId",
    "TransitGatewayId",
    "NetworkInterfaceId",
    "InstanceId",
    "VpcPeeringConnectionId",
    "CoreNetworkArn",
)


def ways_out(clients: Clients, subnets: Sequence[Any]) -> dict[str, str | None]:
    """The way out of each subnet (as `describe_subnets` lists them), by its id; None for all where AWS does not say."""
    ways: dict[str, str | None] = {each["SubnetId"]: None for each in subnets}
    for vpc in {each["VpcId"] for each in subnets}:
        try:
            tables, endpoints = _tables(clients, vpc), _endpoints(clients, vpc)
        except PdfbatchError:
            continue  # it may not be asked: the caller sees None, which is "unknown"
        for each in subnets:
            if each["VpcId"] == vpc:
                ways[each["SubnetId"]] = way_out(each, tables, endpoints)
    return ways


def _tables(clients: Clients, vpc: str) -> list[Any]:
    of_vpc: list[Any] = [{"Name": "vpc-id", "Values": [vpc]}]
    pages = clients.ec2.get_paginator("describe_route_tables").paginate(Filters=of_vpc)
    return aws.call("look up the route tables", lambda: [each for page in pages for each in page["RouteTables"]])


def _endpoints(clients: Clients, vpc: str) -> list[Any]:
    of_vpc: list[Any] = [{"Name": "vpc-id", "Values": [vpc]}]
    pages = clients.ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=of_vpc)
    return aws.call("look up the VPC endpoints", lambda: [each for page in pages for each in page["VpcEndpoints"]])


def way_out(subnet: Mapping[str, Any], tables: Sequence[Any], endpoints: Sequence[Any]) -> str:
    """Pure: from a subnet, its VPC's route tables and endpoints as EC2 describes them. "": there is none."""
    table = _table_of(subnet["SubnetId"], tables)
    for route in table.get("Routes", []):
        if _is_default(route):
            if str(route.get("GatewayId", "")).startswith("igw-"):
                if subnet.get("MapPublicIpOnLaunch"):
                    return GATEWAY
            elif any(route.get(router) for router in _ROUTERS) or str(route.get("GatewayId", "")).startswith("vgw-"):
                return NAT
    reachable = {_service(each) for each in endpoints if _serves(each, table)}
    return ENDPOINTS if reachable.issuperset(NEEDED_ENDPOINTS) else NONE


def _table_of(subnet: str, tables: Sequence[Any]) -> Any:
    """A subnet that names no table has its VPC's main one."""
    main: Any = {}
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main"):
                main = table
    return main


def _is_default(route: Mapping[str, Any]) -> bool:
    """A route whose target is gone stays, as a `blackhole`."""
    return route.get("DestinationCidrBlock") == _EVERYWHERE and route.get("State", "active") == "active"


def _serves(endpoint: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """An interface endpoint with private names serves its whole VPC, a gateway endpoint the tables it is in."""
    if str(endpoint.get("State", "available")).lower() != "available":
        return False
    if endpoint.get("VpcEndpointType") == "Gateway":
        return table.get("RouteTableId") in endpoint.get("RouteTableIds", [])
    return bool(endpoint.get("PrivateDnsEnabled", True))


def _service(endpoint: Mapping[str, Any]) -> str:
    """`com.amazonaws.us-east-1.ecr.api` → `ecr.api`; China's begin with `cn.com.amazonaws`."""
    return str(endpoint.get("ServiceName", "")).partition("amazonaws.")[2].partition(".")[2]
