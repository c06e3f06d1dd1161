"""Where the events of a run are sent."""

from typing import Annotated

import typer

Events = Annotated[
    list[str] | None,
    typer.Option(
        "--events",
        metavar="ADDRESS",
        help="Send an event for each outcome and for the run's end; repeatable: https://HOST/PATH, sns:ARN, events:BUS "
        "(EventBridge), kafka://HOST:PORT/TOPIC.",
        show_default=False,
    ),
]


EventsSecret = Annotated[
    str,
    typer.Option(
        "--events-secret",
        metavar="ARN",
        help="Secrets Manager secret or SSM parameter with the key of webhooks, or Kafka's user name and password. "
        "Only the instances read it, with their role.",
        show_default=False,
    ),
]
