"""Examples of each command, for `--help` and for the manual; tests parse every one of them."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "plan": (
        "pdfbatch plan s3://papers/pdfs/ s3://papers/md/",
        "pdfbatch plan s3://papers/pdfs/ s3://papers/md/ --engine auto --max-cost 50",
    ),
    "launch": (
        "pdfbatch launch s3://papers/pdfs/ s3://papers/md/",
        "pdfbatch launch s3://papers/pdfs/ s3://papers/md/ --limit 100 --workers 1",
        "pdfbatch launch s3://papers/pdfs/ s3://papers/md/ --max-cost 50 --yes",
        "pdfbatch launch s3://papers/pdfs/ s3://papers/md/ --engine cpu --instance-type c6i.xlarge",
        "pdfbatch launch s3://papers/pdfs/ s3://papers/md/ --pool --workers 2",
        "pdfbatch launch s3://papers/pdfs/ s3://papers/md/ --on batch --workers 20",
        "pdfbatch launch s3://papers/pdfs/ s3://papers/md/ --pool --watch-input --workers 1 --max-hours 24",
    ),
    "scale": ("pdfbatch scale s3://papers/md/ --workers 5", "pdfbatch scale s3://papers/md/ --workers 1 --yes"),
    "schedule": (
        "pdfbatch schedule s3://papers/pdfs/ s3://papers/md/ --cron '0 3 * * ? *' --timezone Europe/Berlin",
        "pdfbatch schedule s3://papers/pdfs/ s3://papers/md/ --cron 'rate(12 hours)' --name twice-daily --on sagemaker",
        "pdfbatch schedule list",
        "pdfbatch schedule delete nightly --yes",
    ),
    "down": ("pdfbatch down s3://papers/md/", "pdfbatch down s3://papers/md/ --yes"),
    "ls": ("pdfbatch ls", "pdfbatch ls --json"),
    "logs": ("pdfbatch logs s3://papers/md/ --follow", "pdfbatch logs s3://papers/md/ 3 --boot"),
    "doctor": (
        "pdfbatch doctor --input s3://papers/pdfs/ --output s3://papers/md/",
        "pdfbatch doctor --policy --instance-type g5.xlarge",
    ),
    "setup": (
        "pdfbatch setup --input s3://papers/pdfs/ --output s3://papers/md/ --email you@example.org --budget 100",
        "pdfbatch setup --show-template",
        "pdfbatch setup --delete",
    ),
    "local-run": (
        "pdfbatch local-run ~/papers ~/papers-md",
        "pdfbatch local-run ~/papers/a.pdf -",
        "pdfbatch local-run '~/papers/2024/*.pdf' ~/papers-md --pages 1-3",
        "pdfbatch local-run s3://papers/pdfs/ ~/papers-md --limit 20",
        "pdfbatch local-run ~/papers ~/papers-md --total-workers 4 --worker-id 0",
        "pdfbatch local-run ~/papers ~/papers-md --engine endpoint --endpoint-url http://localhost:8000/v1 "
        "--endpoint-model lightonai/LightOnOCR-2-1B",
        "pdfbatch local-run ~/papers ~/papers-md --engine auto --fallback endpoint --endpoint-url https://HOST/v1 "
        "--endpoint-model NAME --endpoint-price 0.25,2 --max-cost 5",
        "pdfbatch local-run ~/papers ~/papers-md --engine auto --model ByteDance/Dolphin-1.5 --triage triage.json",
        "pdfbatch local-run ~/papers ~/papers-md --also 'images:format=png,dpi=200' --also analysis",
        "pdfbatch local-run ~/scans ~/scans-md --include '*.png' --command 'mytool {in} {out}'",
    ),
    "demo": ("pdfbatch demo", "pdfbatch demo ~/pdfbatch-demo"),
    "status": ("pdfbatch status s3://papers/md/ --watch", "pdfbatch status ~/papers-md --json"),
    "retry-failures": (
        "pdfbatch retry-failures s3://papers/md/ --engine auto",
        "pdfbatch retry-failures ~/papers-md --local --reason timeout --page-seconds 600",
        "pdfbatch retry-failures ~/papers-md --local --below 0.7",
        "pdfbatch retry-failures ~/papers-md --local --pages marked-pages.tsv",
        "pdfbatch retry-failures ~/papers-md --local --reason encrypted --password-file passwords.txt",
    ),
    "verify": ("pdfbatch verify ~/papers-md",),
    "report": ("pdfbatch report s3://papers/md/", "pdfbatch report ~/papers-md --json"),
    "triage train": (
        "pdfbatch triage train ~/papers-cpu ~/papers-dolphin --save triage.json",
        "pdfbatch triage train s3://papers/cpu/ s3://papers/dolphin/ --tracking http://mlflow:5000 --alias champion",
    ),
    "triage score": (
        "pdfbatch triage score ~/papers-cpu --triage triage.json",
        "pdfbatch triage score ~/papers-cpu --triage models:/pdfbatch-triage@champion --against ~/papers-dolphin",
    ),
    "config": ("pdfbatch config", "pdfbatch config --all --json"),
    "help": ("pdfbatch help launch",),
    "view": ("pdfbatch view ~/papers-md", "pdfbatch view s3://papers/md/ --port 8000 --no-browser"),
    "runs": ("pdfbatch runs ~/papers-md",),
    "events": (
        "pdfbatch events ~/papers-md --to https://example.org/pdf-events",
        "pdfbatch events s3://papers/md/ --to kafka://broker-1:9092,broker-2:9092/papers --follow",
        "pdfbatch events s3://papers/md/ --to sns:arn:aws:sns:us-east-1:123456789012:papers",
    ),
    "export": (
        "pdfbatch export s3://papers/md/ s3://papers/dataset/",
        "pdfbatch export ~/papers-md ~/papers-chunks --format chunks --tokens 512",
        "pdfbatch export ~/papers-md ~/papers-notes --format markdown --front-matter",
    ),
}


def epilog(command: str) -> str | None:
    """Returns the examples as a Markdown list for the end of a command's help."""
    if command not in EXAMPLES:
        return None
    return "\n\n".join(["Examples:", *(f"- `{line}`" for line in EXAMPLES[command])])
