"""All that a launch wants to know of the account, asked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pdfbatch.errors import NotReady, PdfbatchError
from pdfbatch.fleet import list_prices, routes, survey
from pdfbatch.fleet.clients import Clients
from pdfbatch.fleet.list_prices import ListPrices
from pdfbatch.fleet.names import Names
from pdfbatch.fleet.setup import current_wish
from pdfbatch.fleet.survey import asked
from pdfbatch.fleet.template import SetupWish, out_of_reach
from pdfbatch.fleet.values import Account, Quota, Subnet, Wish, Zone


def ask(clients: Clients, wish: Wish, source: str, output: str, now: datetime) -> Account:
    """`source` and `output` are URLs: whether the machines may use them.

    Raises:
        NotReady: the account lacks what no launch can do without; `pdfbatch doctor` tells all at once.
        UsageError: an image, type or subnet that was named does not exist.
    """
    types, names, warnings = list(wish.instance_types), wish.names, list[str]()
    facts = survey.vcpus_of(clients, types)
    code, family = survey.family_of(types, wish.market)
    listed = asked(lambda: list_prices.ask(clients, types), warnings, ListPrices())
    made_for = asked(lambda: current_wish(clients, names), warnings, SetupWish(names))
    subnets = survey.subnets(clients, wish.subnets, made_for.vpc)
    offered = asked(lambda: survey.offerings(clients, types), warnings, dict[str, set[str]]())
    subnets = _with_a_way_out(_where_offered(subnets, types, offered), warnings)
    _check_made(clients, names, made_for, source, output, warnings)
    topic = names.topic_arn(clients.region, clients.account)
    return Account(
        number=clients.account,
        region=clients.region,
        zones=_zones(clients, wish, subnets, offered, now, listed, warnings),
        vcpus={kind: each.vcpus for kind, each in facts.items()},
        gpus={kind: each.gpu for kind, each in facts.items()},
        quota=asked(
            lambda: survey.quota(clients, types, wish.market), warnings, Quota(code=code, name=family, limit=None)
        ),
        ami=survey.ami(clients, wish.ami),
        image=_image(clients, wish, warnings),
        profile=names.role(clients.region),
        security_groups=[survey.security_group(clients, names, subnets[0].vpc)],
        log_group=names.log_group,
        topic=topic if asked(lambda: survey.has_topic(clients, topic), warnings, otherwise=False) else "",
        on_demand=listed.on_demand,
        gib_month=listed.gib_month,
        warnings=warnings,
    )


def _where_offered(
    subnets: Sequence[Subnet], types: Sequence[str], offered: Mapping[str, set[str]]
) -> Sequence[Subnet]:
    """
    Raises:
        NotReady: no subnet is in a zone that offers one of the types.
    """
    if not offered:  # it could not be asked
        return subnets
    found = [subnet for subnet in subnets if any(subnet.zone in offered.get(kind, ()) for kind in types)]
    if not found:
        raise NotReady(
            f"None of the zones {', '.join(subnet.zone for subnet in subnets)} offers {' or '.join(types)}.",
            "Choose another type, a subnet in another zone, or another region with AWS_DEFAULT_REGION.",
        )
    return found


def _with_a_way_out(subnets: Sequence[Subnet], warnings: list[str]) -> list[Subnet]:
    """
    Raises:
        NotReady: no subnet has one: each instance would boot, reach nothing, and be replaced by the next.
    """
    usable = [subnet for subnet in subnets if subnet.way_out != routes.NONE]
    shut = ", ".join(f"{subnet.id} ({subnet.zone})" for subnet in subnets if subnet.way_out == routes.NONE)
    if not usable:
        raise NotReady(
            f"Instances in {shut} cannot reach S3: the route table has no way out.",
            "Name public subnets with --subnet (route to an internet gateway, public IPv4 on launch), or give these a "
            f"NAT gateway, or endpoints for {', '.join(routes.NEEDED_ENDPOINTS)}.",
        )
    if shut:
        warnings.append(f"left out, no way to S3: {shut}")
    unknown = [subnet.id for subnet in usable if subnet.way_out is None]
    if unknown:
        warnings.append(f"not checked: whether instances in {', '.join(unknown)} can reach S3")
    return usable


def _check_made(
    clients: Clients, names: Names, made_for: SetupWish, source: str, output: str, warnings: list[str]
) -> None:
    """What machines would boot in vain without. A stack that is not one of pdfbatch's is not judged."""
    stack = "" if names == Names() else f" --stack {names.stack}"
    cure = (
        f"Run `pdfbatch setup --input {source} --output {output}{stack}`; `pdfbatch doctor` tells all that is missing."
    )
    if asked(lambda: survey.has_profile(clients, names), warnings, otherwise=True) is False:
        raise NotReady(f"There is no instance profile {names.role(clients.region)}.", cure)
    if asked(lambda: survey.has_log_group(clients, names.log_group), warnings, otherwise=True) is False:
        raise NotReady(f"There is no log group {names.log_group}.", cure)
    if outside := out_of_reach(made_for, [source], [output]):
        raise NotReady(
            f"The machines' role may not use {', '.join(outside)}.",
            f"Allow it with `pdfbatch setup --input {source} --output {output}{stack}`: it adds to what there is.",
        )


def _zones(
    clients: Clients,
    wish: Wish,
    subnets: Sequence[Subnet],
    offered: Mapping[str, set[str]],
    now: datetime,
    listed: ListPrices,
    warnings: list[str],
) -> list[Zone]:
    types = list(wish.instance_types)
    if wish.market == "on-demand":
        everywhere = {subnet.zone for subnet in subnets}
        prices = {(kind, zone): price for kind, price in listed.on_demand.items() for zone in everywhere}
    else:
        prices = asked(lambda: survey.prices(clients, types, now), warnings, dict[tuple[str, str], float]())
    has_scores = wish.market == "spot" and len(types) >= survey.FEWEST_SCORED
    scores = dict[str, int]()
    if has_scores:
        scores = asked(lambda: survey.scores(clients, types, wish.workers), warnings, scores)
    ids = asked(lambda: survey.zone_ids(clients), warnings, dict[str, str]()) if scores else {}
    return [
        Zone(
            name=subnet.zone,
            subnet=subnet.id,
            prices={
                kind: prices[kind, subnet.zone]
                for kind in types
                if (kind, subnet.zone) in prices and subnet.zone in offered.get(kind, {subnet.zone})
            },
            way_out=subnet.way_out,
            score=scores.get(ids.get(subnet.zone, "")),
        )
        for subnet in subnets
    ]


def _image(clients: Clients, wish: Wish, warnings: list[str]) -> str:
    if not wish.image:
        return survey.newest_image(clients, wish.names)
    try:
        image = survey.pinned_image(clients, wish.image)
    except PdfbatchError as error:
        if not error.message.startswith("Cannot"):
            raise
        image = wish.image
        warnings.append(f"not checked: {error.message}")
    if not survey.is_pinned(image):
        warnings.append(f"the image {image} is not named by digest: a replacement may run another one than the first")
    return image
