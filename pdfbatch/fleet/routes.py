"""Finds out how a subnet's instances reach AWS: by an internet gateway, NAT, or VPC endpoints.

An instance that cannot reach S3 can neither save nor report anything, so such subnets are detected before a launch.
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
"""Cheapest first: traffic through NAT or an interface endpoint is billed by the gigabyte. None: unknown."""
NEEDED_ENDPOINTS = ("s3", "ecr.api", "ecr.dkr", "logs", "ec2")
"""The endpoints that a worker needs where its subnet has no route to the internet."""
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
    """Finds each subnet's route to AWS, by subnet id; None: unknown. `subnets` as listed by `describe_subnets`."""
    ways: dict[str, str | None] = {each["SubnetId"]: None for each in subnets}
    for vpc in {each["VpcId"] for each in subnets}:
        try:
            tables, endpoints = _tables(clients, vpc), _endpoints(clients, vpc)
        except PdfbatchError:
            continue  # not permitted to ask: stays None, "unknown"
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
    """Finds the route from a subnet, its VPC's route tables and endpoints as EC2 describes them. Pure. "": none."""
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
    """Finds a subnet's route table: its own, else its VPC's main one."""
    main: Any = {}
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet:
                return table
            if association.get("Main"):
                main = table
    return main


def _is_default(route: Mapping[str, Any]) -> bool:
    """Whether this is a usable default route; one whose target was deleted remains as a `blackhole`."""
    return route.get("DestinationCidrBlock") == _EVERYWHERE and route.get("State", "active") == "active"


def _serves(endpoint: Mapping[str, Any], table: Mapping[str, Any]) -> bool:
    """Whether an endpoint serves this route table; an interface endpoint with private DNS serves its whole VPC."""
    if str(endpoint.get("State", "available")).lower() != "available":
        return False
    if endpoint.get("VpcEndpointType") == "Gateway":
        return table.get("RouteTableId") in endpoint.get("RouteTableIds", [])
    return bool(endpoint.get("PrivateDnsEnabled", True))


def _service(endpoint: Mapping[str, Any]) -> str:
    """Extracts the service: `com.amazonaws.us-east-1.ecr.api` → `ecr.api`; China's begin with `cn.com.amazonaws`."""
    return str(endpoint.get("ServiceName", "")).partition("amazonaws.")[2].partition(".")[2]
