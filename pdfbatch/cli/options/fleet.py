"""The instances of a fleet, their prices and limits."""

from typing import Annotated

import typer

from pdfbatch.records import WAY_NAMES, WayName

FleetEngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="How to read pages. dolphin: the model. auto: text layers, and the model where they are missing or wrong; "
        "cheaper. cpu: text layers and OCR, for instances without a GPU. endpoint: a model at --endpoint-url. null: "
        "dry run, writes Markdown without text.",
        show_default="dolphin on instances with a GPU, otherwise cpu",
    ),
]


On = Annotated[
    WayName,
    typer.Option(
        "--on",
        metavar="|".join(WAY_NAMES),
        help="What runs the workers. spot: an EC2 Fleet for each of them. batch: an array job of AWS Batch. sagemaker: "
        "one SageMaker Processing job, on-demand.",
    ),
]


RetryOn = Annotated[
    WayName | None,
    typer.Option(
        "--on",
        metavar="|".join(WAY_NAMES),
        help="What runs the workers, as in launch.",
        show_default="as in the run before, or spot",
    ),
]


Workers = Annotated[
    int,
    typer.Option(
        min=1,
        max=10_000,
        help="Number of instances; each converts a share of the documents.",
        metavar="N",
    ),
]


LaunchWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=10_000,
        help="Number of instances; each converts a share of the documents.",
        show_default="5, or fewer if the work is small",
        metavar="N",
    ),
]


OnDemand = Annotated[
    bool,
    typer.Option("--on-demand", help="Use on-demand instances instead of Spot: never interrupted, full price."),
]


MaxPrice = Annotated[
    float | None,
    typer.Option(
        "--max-price",
        min=0.001,
        metavar="DOLLARS",
        help="Highest Spot price to pay per instance-hour; AWS interrupts an instance that becomes more expensive.",
        show_default="1.5 times the price in today's most expensive zone",
    ),
]


EbsKey = Annotated[
    str,
    typer.Option("--ebs-key", metavar="KEY", help="KMS key ID, alias or ARN that encrypts the instances' disks."),
]


InstanceTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--instance-type",
        metavar="TYPE",
        help="EC2 instance type; repeat it to let AWS choose among several.",
        show_default="g4dn.xlarge",
    ),
]


FleetModel = Annotated[
    str,
    typer.Option(
        help="Dolphin 1.0 or 1.5: Hub id (with @revision), s3:// folder, or /model for weights inside the image.",
        show_default="ByteDance/Dolphin-1.5",
        metavar="MODEL",
    ),
]


AmiName = Annotated[
    str,
    typer.Option(
        "--ami",
        metavar="ID",
        help="AMI with the NVIDIA driver, Docker and the AWS CLI: ID or SSM parameter.",
        show_default="the newest AWS Deep Learning Base AMI",
    ),
]


KeyName = Annotated[
    str,
    typer.Option(help="Name of the EC2 key pair for SSH.", show_default="none", metavar="NAME"),
]


Stack = Annotated[
    str,
    typer.Option(help="Name of the CloudFormation stack that `setup` created.", metavar="NAME"),
]


MaxHours = Annotated[
    float | None,
    typer.Option(
        min=0.5,
        max=720,
        help="Terminate all instances after this many hours.",
        show_default="3 times the expected time, from 2 to 48",
        metavar="HOURS",
    ),
]


MaxCost = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        metavar="DOLLARS",
        help="Stop the instances before they, and an endpoint's answers, cost more than this.",
    ),
]


Image = Annotated[
    str,
    typer.Option(
        help="Docker image of the workers.",
        show_default="the newest in the stack's ECR repository",
        metavar="IMAGE",
    ),
]


Subnets = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet", metavar="ID", help="Launch in this subnet; repeatable.", show_default="all of the default VPC"
    ),
]


NetworkIsolation = Annotated[
    bool,
    typer.Option(
        "--network-isolation",
        help="With --on sagemaker: give the workers no network; SageMaker copies their documents in, and uploads what "
        "they write when the job ends.",
    ),
]


SecurityGroups = Annotated[
    list[str] | None,
    typer.Option(
        "--security-group",
        metavar="ID",
        help="With --on sagemaker and --subnet: security group of the job; repeatable.",
        show_default="the stack's own",
    ),
]


OutputKey = Annotated[
    str,
    typer.Option(
        "--output-key",
        metavar="KEY",
        help="With --network-isolation: KMS key that encrypts what is uploaded.",
        show_default="the bucket's own",
    ),
]


Tags = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="KEY=VALUE", help="Tag for everything that is created; repeatable."),
]


Pace = Annotated[
    float | None,
    typer.Option(
        "--pages-per-second",
        min=0.001,
        help="Expected speed of one worker; replaces the estimate in the plan.",
        metavar="NUMBER",
    ),
]


Wait = Annotated[
    bool,
    typer.Option("--wait", help="Wait until the run is over; exit codes are those of local-run."),
]


AsPool = Annotated[
    bool,
    typer.Option(
        "--pool",
        help="Hand the work out by an SQS queue: workers can be added and removed with `pdfbatch scale`.",
    ),
]


WatchInput = Annotated[
    bool,
    typer.Option(
        "--watch-input",
        help="With --pool: also convert what arrives in INPUT, until `pdfbatch down` or --max-hours.",
    ),
]


KeepPartial = Annotated[
    bool,
    typer.Option("--keep-partial", help="Keep the instances that were launched even if some workers could not be."),
]


BatchTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--instance-type",
        metavar="TYPE",
        help="With --batch: EC2 instance type of the compute environment; repeatable.",
        show_default="g4dn.xlarge",
    ),
]


BatchSubnets = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet",
        metavar="ID",
        help="With --batch: subnet of the compute environment; repeatable.",
        show_default="all of the VPC that can reach S3",
    ),
]


MaxVcpus = Annotated[
    int,
    typer.Option(
        "--max-vcpus",
        metavar="N",
        min=0,
        help="With --batch: vCPUs of all instances together, at most.",
        show_default="256",
    ),
]
