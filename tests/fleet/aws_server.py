"""A simulated AWS over HTTP for tests: moto in its own process, plus what moto cannot do, plus fault injection.

Run as `python -m tests.fleet.aws_server [HOST PORT]` in the repository's root; prints its port, ends with its stdin.
Every request but SQS's ReceiveMessage holds one lock (see tests/s3_server.py, whose faults on S3 work here as well).

It answers these calls itself, from simulated_fleets.py, market.py and moto_cloud.py, which name the sources:
  CreateFleet, DescribeFleets, DescribeFleetInstances, DescribeFleetHistory, ModifyFleet, DeleteFleets;
  DescribeSpotPriceHistory, GetSpotPlacementScores; DescribeLaunchTemplates in pages of 15; GetEbsDefaultKmsKeyId;
  GetServiceQuota and GetAWSDefaultServiceQuota of `ec2`; GetProducts of the price list (price_list.py);
  the lists of SageMaker's quotas, and how its processing jobs run and end (processing_jobs.py).
moto answers the rest. Where moto is laxer than AWS, this comes first: a ClientToken is honoured (the first answer
again, or IdempotentParameterMismatch); user data of more than 16,384 bytes is refused; what a RunInstances is to launch
from is checked, in a dry run too; an instance whose disks need a key that the fleet may not use dies at once
(moto_keys.py); the public parameters of Deep Learning and Ubuntu images exist, and so do the images.
Requests are read and answers written by moto's parsers and serializers after botocore's models.

Orders for tests are PUTs of JSON:
  `/_tick`: AWS advances by one step at once (a thread does so every 0.3 s unless `/_ticking` was set to false);
  `/_clock` {"forward_seconds": n}: moves the clock of fleets and prices forward;
  `/_interrupt` {"instance"}: a Spot interruption; `/_shutdown` {"instance"}: it shut itself down;
  `/_capacity` {"zone", "available": bool, "sub_type": of the event that reports it}; `/_scores` {zone: 1 to 10};
  `/_prices` {type: {zone: dollars an hour}};
      ordered again, they rise or fall at that time: what was launched with a MaxPrice below them is interrupted;
  `/_quota` {"code", "value", "default"}: vCPUs, null for none; a fleet launches nothing beyond `value`;
  `/_job` {"job", …}: changes a job of AWS Batch (simulated_batch.py); `/_environment` {"status", …}: what Batch says of
      every compute environment;
  `/_job_quota` {"type", "value", "default"}: instances for processing jobs, null for none;
  `/_processing_job` {"region", "name", "status", "why", "message"}: ends a processing job;
  `/_denied` [key's ARN, …]: objects in buckets that are encrypted with one can be neither read nor written;
  `/_faults` [fault, …]: those of tests/s3_server.py, and {"action", "code", "message", "status"} to answer a call with
      an error; "nth": n spares the n - 1 calls before; "times": n, default 1; "lose": true does the call first.
GETs: `/_calls`: [{"service", "action", "parameters", "error"}, …] in order, error "" for a success;
  `/_instances`: the running instances of fleets, with their user data;
  `/_spent`: dollars for all instances of fleets so far, without disks and addresses.
A POST to `/moto-api/reset` resets everything, orders too.
"""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.datastructures import MultiDict
from werkzeug.serving import make_server

from tests.fleet.market import QUOTA_NAMES, Market
from tests.fleet.moto_batch import Batch, like_aws
from tests.fleet.moto_cloud import MotoCloud
from tests.fleet.moto_keys import BucketKeys
from tests.fleet.price_list import products
from tests.fleet.processing_jobs import ProcessingJobs
from tests.fleet.simulated_batch import operation_at
from tests.fleet.simulated_fleets import Fleets, Json, Refused
from tests.s3_server import FaultyS3, Moto, Quiet

Environ = dict[str, Any]
Respond = Callable[..., Any]
TICK_SECONDS = 0.3
USER_DATA_LIMIT = 16_384
NAMES = {"servicequotas": "service-quotas", "monitoring": "cloudwatch"}
"""botocore's names of the services that sign with another one."""


class Call:
    """A request of the query or JSON protocols."""

    def __init__(self, environ: Environ, service: str, region: str, body: bytes) -> None:
        self.service, self.region = NAMES.get(service, service), region
        self.form = {name: values[-1] for name, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        self.action = target or self.form.get("Action", "")
        model = _service(self.service)
        self.operation: OperationModel = model.operation_model(self.action)
        self.protocol = determine_request_protocol(model, environ.get("CONTENT_TYPE", ""))
        request: Any = {"method": "POST", "values": MultiDict(self.form), "body": body}
        request |= {"headers": {}, "url_path": "/", "url_params": {}}
        self.parameters: Json = PROTOCOL_PARSERS[self.protocol](self.operation).parse(request)

    def answer(self, result: Any, status: int = 0) -> Answer:
        serializer = get_serializer_class(self.service, self.protocol)(operation_model=self.operation)
        done = serializer.serialize(result)
        return Answer(status or int(done["status_code"]), dict(done["headers"]), str(done["body"]).encode())

    def refuse(self, code: str, message: str, status: int = 400) -> Answer:
        answer = self.answer(Refused(code, message), status)
        return Answer(answer.status, answer.headers, answer.body, code)


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes, error: str = "") -> None:
        self.status, self.headers, self.body, self.error = status, headers, body, error

    def send(self, respond: Respond) -> list[bytes]:
        sized = self.headers | {"Content-Length": str(len(self.body))}
        respond(f"{self.status} Told", [(name, str(value)) for name, value in sized.items()])
        return [self.body]


@cache
def _service(name: str) -> ServiceModel:
    return get_service_model(name)


class Aws:
    def __init__(self, moto: Callable[[Environ, Respond], Iterable[bytes]]) -> None:
        self.moto = moto
        self.s3 = FaultyS3(moto)
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        self.later = timedelta()
        self.ticking = True
        self.faults: list[Json] = []
        self.s3.faults = []
        self.calls: list[Json] = []
        self.tokens: dict[tuple[str, str, str], tuple[Json, Answer]] = {}
        self.market = Market()
        self.bucket_keys = BucketKeys()
        self.processing = ProcessingJobs()
        self.regions: dict[str, tuple[MotoCloud, Fleets]] = {}
        self.batch = Batch()

    def now(self) -> datetime:
        """UTC without saying so, as moto has it."""
        return datetime.now(UTC).replace(tzinfo=None) + self.later

    def tick(self) -> None:
        for _, fleets in self.regions.values():
            fleets.tick()
        self.batch.tick()
        self.processing.tick()

    def region(self, name: str) -> tuple[MotoCloud, Fleets]:
        if name not in self.regions:
            cloud = MotoCloud(name, self.market, self.now)
            self.regions[name] = cloud, Fleets(cloud, self.now)
        return self.regions[name]

    def __call__(self, environ: Environ, respond: Respond) -> Iterable[bytes]:
        if environ.get("HTTP_X_AMZ_TARGET") == "AmazonSQS.ReceiveMessage":  # it may wait for messages
            return self.moto(environ, respond)
        with self.lock:
            path = environ["PATH_INFO"]
            if path.startswith("/_"):
                return self._ordered(path[2:], _body(environ), environ["REQUEST_METHOD"]).send(respond)
            if path == "/moto-api/reset":
                self.reset()
            service, region = _signed_for(environ)
            is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
            if service and (is_form or "HTTP_X_AMZ_TARGET" in environ):
                return self._called(environ, Call(environ, service, region, _body(environ))).send(respond)
            if service in ("", "s3") and (lacking := self.bucket_keys.lacking(environ["REQUEST_METHOD"], path)):
                _body(environ)
                xml = f"<Error><Code>AccessDenied</Code><Message>{lacking}</Message></Error>"
                return Answer(403, {"Content-Type": "application/xml"}, xml.encode()).send(respond)
            if service == "batch" and (answer := self._batch(environ, region, path)):
                return answer.send(respond)
            return (self.s3 if service in ("", "s3") else self.moto)(environ, respond)

    def _batch(self, environ: Environ, region: str, path: str) -> Answer | None:
        """Answers what is about jobs; None: moto answers."""
        if (operation := operation_at(path)) is None:
            return None
        wish = json.loads(_body(environ) or b"{}")
        record = {"service": "batch", "action": operation.name, "parameters": wish, "error": ""}
        self.calls.append(record)
        try:
            if fault := self._take_fault(operation.name):
                raise Refused(fault["code"], fault.get("message", "ordered by the test"), fault.get("status", 400))
            answer = self.batch.answer(region, operation, wish, lambda: self._pass_on(environ).body)
        except Refused as error:
            record["error"] = error.code
            headers = {"Content-Type": "application/json", "x-amzn-ErrorType": error.code}
            return Answer(error.status, headers, json.dumps({"message": error.message}).encode(), error.code)
        return answer and Answer(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

    def order_job(self, wish: Json) -> None:
        self.batch.order(wish)

    def order_environment(self, wish: Json) -> None:
        self.batch.environment = wish

    def _called(self, environ: Environ, call: Call) -> Answer:
        record = {"service": call.service, "action": call.action, "parameters": call.parameters, "error": ""}
        self.calls.append(record)
        fault = self._take_fault(call.action)
        answer = self._answer(environ, call) if not fault or fault.get("lose") else None
        if fault:
            message = fault.get("message", "ordered by the test")
            answer = call.refuse(fault["code"], message, fault.get("status", 400))
        assert answer is not None
        record["error"] = answer.error
        return answer

    def _take_fault(self, action: str) -> Json | None:
        for fault in self.faults:
            if fault["action"] == action:
                fault["nth"] = fault.get("nth", 1) - 1
                if fault["nth"] <= 0:
                    fault["times"] = fault.get("times", 1) - 1
                    if fault["times"] <= 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def _answer(self, environ: Environ, call: Call) -> Answer:
        """The answer of a call that is not refused by order."""
        key = (call.region, call.action, call.parameters.get("ClientToken", ""))
        asked, before = self.tokens.get(key, ({}, None))
        if before and asked == call.parameters:
            return before
        try:
            if before:
                raise Refused("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent.")
            answer = self._answer_new(environ, call)
        except (Refused, ServiceException) as error:
            answer = call.refuse(error.code, error.message, getattr(error, "status", 400))
        if key[2] and answer.status < 300:
            self.tokens[key] = call.parameters, answer
        return answer

    def _answer_new(self, environ: Environ, call: Call) -> Answer:
        cloud, fleets = self.region(call.region)
        ours: dict[str, Callable[[Json], Json]] = {
            "CreateFleet": fleets.create,
            "DescribeFleets": fleets.describe,
            "DescribeFleetInstances": fleets.active_instances,
            "DescribeFleetHistory": fleets.history,
            "ModifyFleet": fleets.modify,
            "DeleteFleets": fleets.delete,
            "DescribeSpotPriceHistory": cloud.price_history,
            "GetSpotPlacementScores": cloud.placement_scores,
            "DescribeLaunchTemplates": cloud.launch_templates,
            "GetEbsDefaultKmsKeyId": cloud.keys.default,
        }
        if call.service == "ec2":
            self._check_ec2(cloud, call)
            if call.action in ours:
                if call.parameters.get("DryRun"):
                    raise Refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412)
                return call.answer(ours[call.action](call.parameters))
        if call.service == "service-quotas" and call.parameters.get("ServiceCode") == "ec2":
            return call.answer({"Quota": self._quota(call)})
        if call.service == "pricing" and call.action == "GetProducts":
            return call.answer(products(call.parameters, call.region))
        if call.service == "service-quotas" and call.parameters.get("ServiceCode") == "sagemaker":
            return call.answer(self.processing.quotas(call.action, call.parameters))
        if call.service == "sagemaker" and call.action in ("CreateProcessingJob", "StopProcessingJob"):
            return self._processing_job(environ, call)
        answer = self._pass_on(environ)
        if call.action == "DescribeProcessingJob" and not answer.error:
            more = self.processing.resources(call.region, call.parameters["ProcessingJobName"])
            answer.body = json.dumps(json.loads(answer.body) | more).encode()
        return answer

    def _processing_job(self, environ: Environ, call: Call) -> Answer:
        if call.action == "StopProcessingJob":
            self.processing.stop(call.region, call.parameters["ProcessingJobName"])
            return call.answer({})
        self.processing.check(call.region, call.parameters)
        answer = self._pass_on(environ)
        if not answer.error:
            self.processing.created(call.region, call.parameters)
        return answer

    def _check_ec2(self, cloud: MotoCloud, call: Call) -> None:
        wish = call.parameters
        data = (wish.get("LaunchTemplateData") or wish).get("UserData") or ""
        if call.action in ("CreateLaunchTemplate", "CreateLaunchTemplateVersion", "RunInstances"):
            size = len(data if isinstance(data, bytes) else base64.b64decode(data))
            if size > USER_DATA_LIMIT:
                raise Refused("InvalidUserData.Malformed", f"User data is limited to {USER_DATA_LIMIT} bytes")
        if call.action == "RunInstances" and wish.get("LaunchTemplate"):
            cloud.check(wish["LaunchTemplate"])

    def _quota(self, call: Call) -> Json:
        code = call.parameters["QuotaCode"]
        known = self.market.quotas if call.action == "GetServiceQuota" else self.market.default_quotas
        if code not in known:
            raise Refused("NoSuchResourceException", "The request failed because the specified quota does not exist.")
        about = {"ServiceCode": "ec2", "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)", "Unit": "None"}
        return about | {"QuotaCode": code, "QuotaName": QUOTA_NAMES.get(code, code), "Value": known[code]}

    def _pass_on(self, environ: Environ) -> Answer:
        answer: list[Any] = []
        body = b"".join(self.moto(environ, lambda status, headers, *_: answer.extend((status, headers))))
        status = int(answer[0].split()[0])
        error = "" if status < 300 else _code_in(body) or str(status)
        return Answer(status, {k: v for k, v in answer[1] if k.lower() != "content-length"}, body, error)

    def _ordered(self, what: str, body: bytes, method: str) -> Answer:
        wish = json.loads(body or b"null")
        answer: Any = None
        if method == "GET":
            living = (row for cloud, _ in self.regions.values() for row in cloud.listed())
            answer = {"calls": lambda: self.calls, "instances": lambda: list(living), "spent": self._spent}[what]()
        else:
            getattr(self, f"order_{what}")(wish)
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(answer, default=_plain).encode())

    def _spent(self) -> float:
        return sum(fleet.spent for _, fleets in self.regions.values() for fleet in fleets.fleets.values())

    def order_tick(self, wish: Any) -> None:
        self.tick()

    def order_ticking(self, wish: bool) -> None:
        self.ticking = wish

    def order_clock(self, wish: Json) -> None:
        self.later += timedelta(seconds=wish["forward_seconds"])

    def order_interrupt(self, wish: Json) -> None:
        self._cloud_with(wish["instance"]).interrupt(wish["instance"])

    def order_shutdown(self, wish: Json) -> None:
        self._cloud_with(wish["instance"]).shut_down(wish["instance"])

    def _cloud_with(self, instance: str) -> MotoCloud:
        return next(c for c, _ in self.regions.values() if any(i.id == instance for i in c.ec2.all_instances()))

    def order_capacity(self, wish: Json) -> None:
        self.market.closed.pop(wish["zone"], None)
        if not wish["available"]:
            self.market.closed[wish["zone"]] = wish.get("sub_type", "spotFleetRequestConfigurationInvalid")

    def order_denied(self, wish: list[str]) -> None:
        self.bucket_keys.denied = set(wish)

    def order_scores(self, wish: dict[str, int]) -> None:
        self.market.scores = wish

    def order_prices(self, wish: dict[str, dict[str, float]]) -> None:
        self.market.order(wish, self.now())

    def order_quota(self, wish: Json) -> None:
        for quotas, name in ((self.market.quotas, "value"), (self.market.default_quotas, "default")):
            quotas.pop(wish["code"], None)
            if wish.get(name) is not None:
                quotas[wish["code"]] = wish[name]

    def order_job_quota(self, wish: Json) -> None:
        name = f"{wish['type']} for processing job usage"
        for quotas, value in (
            (self.processing.limits, wish.get("value")),
            (self.processing.defaults, wish.get("default")),
        ):
            quotas.pop(name, None)
            if value is not None:
                quotas[name] = value

    def order_processing_job(self, wish: Json) -> None:
        self.processing.end(wish["region"], wish["name"], wish["status"], wish.get("why", ""), wish.get("message", ""))

    def order_faults(self, wish: list[Json]) -> None:
        self.faults = [fault for fault in wish if "action" in fault]
        self.s3.faults = [fault for fault in wish if "action" not in fault]

    def order_seed(self, wish: Json) -> None:
        self.s3._obey("/_seed", wish)


def _body(environ: Environ) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _signed_for(environ: Environ) -> tuple[str, str]:
    """Service and region in the signature's scope, empty for an unsigned request."""
    scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].partition(",")[0].split("/")
    return (scope[3], scope[2]) if len(scope) >= 5 else ("", "")


def _code_in(body: bytes) -> str:
    text = body.decode(errors="replace")
    if text.startswith("{"):
        return str(json.loads(text).get("__type", "")).rpartition("#")[2]
    return text.partition("<Code>")[2].partition("</Code>")[0]


def _plain(value: Any) -> Any:
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else str(value)


def keep_ticking(aws: Aws) -> None:
    while True:
        time.sleep(TICK_SECONDS)
        with aws.lock:
            try:
                if aws.ticking:
                    aws.tick()
            except Exception:  # the next tick may work, and the test's output shows this one
                traceback.print_exc()


if __name__ == "__main__":
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # a second for each reset, and only ours are used
    host, port = sys.argv[1:3] or ("127.0.0.1", 0)
    like_aws()
    aws = Aws(Moto())
    server = make_server(host, int(port), aws, threaded=True, request_handler=Quiet)
    print(server.port, flush=True)
    threading.Thread(target=keep_ticking, args=[aws], daemon=True).start()
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()  # ends with its parent
    server.serve_forever()
