"""The table of commands."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        summary: one line for the list of commands.
        target: ``module:function``. Its signature is the flags and its docstring the help;
            with ``takes_args`` it is called with the arguments as typed.
        example: a line to copy.
        takes_args: the command parses its arguments itself (LightningCLI).
    """

    summary: str
    target: str
    example: str
    takes_args: bool = False

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        module, _, name = self.target.partition(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function


COMMANDS: dict[str, Command] = {
    "abtest list": Command(
        "list the A/B tests that there were, and how they ended",
        "deepfake_lightning.cli.abtest:list_tests",
        "abtest list",
    ),
    "abtest promote": Command(
        "give the winner of an A/B test all the traffic, if the gate lets it through",
        "deepfake_lightning.cli.abtest:promote",
        "abtest promote --env production",
    ),
    "abtest start": Command(
        "let versions share the traffic, or score in the shadow, to see which is better",
        "deepfake_lightning.cli.abtest:start",
        "abtest start v1.1.0 --env production --share 0.2",
    ),
    "abtest status": Command(
        "say what an A/B test has shown so far",
        "deepfake_lightning.cli.abtest:status",
        "abtest status --env production",
    ),
    "abtest stop": Command(
        "end an A/B test: the control has all the traffic again",
        "deepfake_lightning.cli.abtest:stop",
        'abtest stop --env production --reason "the media changed"',
    ),
    "alerts acknowledge": Command(
        "say that you take care of an alert",
        "deepfake_lightning.cli.alerts:acknowledge",
        'alerts acknowledge 3f9c2a1b --note "the disk is being enlarged"',
    ),
    "alerts dashboard": Command(
        "write Grafana's dashboard of the server's metrics",
        "deepfake_lightning.cli.alerts_prometheus:dashboard",
        "alerts dashboard --out grafana.json",
    ),
    "alerts list": Command(
        "list the alerts that fire, and what was not delivered",
        "deepfake_lightning.cli.alerts:list_alerts",
        "alerts list",
    ),
    "alerts rules": Command(
        "write the alert policy as rules for Prometheus",
        "deepfake_lightning.cli.alerts_prometheus:rules",
        "alerts rules --out rules.yaml",
    ),
    "alerts silence": Command(
        "send no messages of some alerts for a while",
        "deepfake_lightning.cli.alerts:silence",
        'alerts silence production/v1.1.0 --hours 2 --reason "maintenance"',
    ),
    "alerts test": Command(
        "send a test message through each channel",
        "deepfake_lightning.cli.alerts:test",
        "alerts test",
    ),
    "benchmark": Command(
        "time a detector on this machine: network, clips, memory, cost",
        "deepfake_lightning.cli.benchmark:benchmark",
        "benchmark v1.0.0 --data clips --workers 2 --price 0.50",
    ),
    "bundle build": Command(
        "make a bundle of a checkpoint: what is scored, served and deployed",
        "deepfake_lightning.cli.bundle:build",
        "bundle build mlops/runs/lite0/v1.0.0/checkpoints/best.ckpt",
    ),
    "bundle verify": Command(
        "check a bundle's files, and that it scores here as where it was built",
        "deepfake_lightning.cli.bundle:verify",
        "bundle verify mlops/runs/lite0/v1.0.0/bundle",
    ),
    "calibrate": Command(
        "fit a detector's verdicts: temperature, thresholds, and what they guarantee",
        "deepfake_lightning.cli.calibrate:calibrate",
        "calibrate mlops/runs/lite0/v1.0.0/checkpoints/best.ckpt --fpr 0.05",
    ),
    "canary abort": Command(
        "take a canary out by hand",
        "deepfake_lightning.cli.canary:abort",
        'canary abort --reason "the newsroom complains"',
    ),
    "canary status": Command(
        "show how a canary fares: its step, its guard-rails, what it waits for",
        "deepfake_lightning.cli.canary:status",
        "canary status",
    ),
    "canary step": Command(
        "decide about a canary once, for cron: hold, advance, or roll back",
        "deepfake_lightning.cli.canary:step",
        "canary step",
    ),
    "canary watch": Command(
        "decide about a canary after each minute, until it ends",
        "deepfake_lightning.cli.canary:watch",
        "canary watch",
    ),
    "compare": Command(
        "say whether a detector is better than another, on the items that both scored",
        "deepfake_lightning.cli.compare:compare",
        "compare v1.0.0 v1.1.0",
    ),
    "dashboard": Command(
        "show what serves and how it fares, in the browser",
        "deepfake_lightning.cli.dashboard:dashboard",
        "dashboard --env production",
    ),
    "data audit": Command(
        "look for leaks between splits, and for shortcuts that give the label away",
        "deepfake_lightning.cli.data_audit:data_audit",
        "data audit mlops/data/images --out audit.html",
    ),
    "data demo": Command(
        "draw a small data set that proves the pipeline",
        "deepfake_lightning.cli.data_demo:data_demo",
        "data demo --out mlops/data/demo",
    ),
    "data index": Command(
        "write the manifest of data sets: labels, people, methods, splits",
        "deepfake_lightning.cli.data_index:data_index",
        "data index FaceForensics++ Celeb-DF-v2 --out mlops/data/manifest.parquet",
    ),
    "data pull": Command(
        "bring a data set from an object storage, verified",
        "deepfake_lightning.cli.data_sharing:pull",
        "data pull s3://bucket/faces --out faces",
    ),
    "data push": Command(
        "send a data set to an object storage: whole, or not to be seen",
        "deepfake_lightning.cli.data_sharing:push",
        "data push faces s3://bucket/faces",
    ),
    "data show": Command(
        "draw what a training will see, before and after augmentation",
        "deepfake_lightning.cli.data_show:data_show",
        "data show mlops/data/demo --config configs/lite0.yaml",
    ),
    "data split": Command(
        "put each person into one split, and say what it costs",
        "deepfake_lightning.cli.data_split:data_split",
        "data split mlops/data/images --out mlops/data/images_split",
    ),
    "deploy": Command(
        "put a version into an environment, if the gate lets it through",
        "deepfake_lightning.cli.deploy:deploy",
        "deploy v1.1.0 --env staging",
    ),
    "evaluate": Command(
        "measure a detector, with intervals, and write a report to hand on",
        "deepfake_lightning.cli.evaluate:evaluate",
        "evaluate v1.0.0 --prevalence 0.01",
    ),
    "explain": Command(
        "show what moved a score: heat maps of faces, timelines of clips",
        "deepfake_lightning.cli.explain:explain",
        "explain clip.mp4 --version v1.0.0 --out explained",
    ),
    "extract": Command(
        "take face crops out of videos and pictures",
        "deepfake_lightning.cli.extract:extract",
        "extract mlops/data/videos --out mlops/data/images",
    ),
    "feedback import": Command(
        "take labels from a file: all of them or none, and none twice",
        "deepfake_lightning.cli.feedback:import_file",
        "feedback import labels.csv --source review",
    ),
    "feedback list": Command(
        "show what was drawn for review, and how much of it waits",
        "deepfake_lightning.cli.feedback:list_queue",
        "feedback list --out review.csv",
    ),
    "feedback review": Command(
        "look at requests that were drawn for review, and say what they are",
        "deepfake_lightning.cli.feedback_review:review",
        "feedback review --by ada",
    ),
    "fit": Command(
        "train a detector",
        "deepfake_lightning.cli.training:fit",
        "fit --config configs/b0.yaml --data.root FOLDER",
        takes_args=True,
    ),
    "log erase": Command(
        "erase a request from the prediction log",
        "deepfake_lightning.cli.log:erase",
        "log erase 018bcfe5687b7c0ba10cfc265c57643e",
    ),
    "log export": Command(
        "write the prediction log to a Parquet file",
        "deepfake_lightning.cli.log:export",
        "log export --out predictions.parquet --start 2026-01-01",
    ),
    "log prune": Command(
        "remove old requests from the prediction log",
        "deepfake_lightning.cli.log:prune",
        "log prune --days 90",
    ),
    "log show": Command(
        "show what is in the prediction log: requests, verdicts, labels, gaps",
        "deepfake_lightning.cli.log:show",
        "log show",
    ),
    "monitor": Command(
        "watch what an environment answers: live, as a report, or as an exit code for cron",
        "deepfake_lightning.cli.monitor:monitor",
        "monitor --report report --period 7d",
    ),
    "predict": Command(
        "score pictures and clips",
        "deepfake_lightning.cli.predict:predict",
        "predict clip.mp4 photos/ --version v1.0.0",
    ),
    "registry delete": Command(
        "delete a version that nothing needs",
        "deepfake_lightning.cli.registry_changes:delete",
        'registry delete v1.1.0 --reason "a licence was withdrawn"',
    ),
    "registry diff": Command(
        "say in what two versions differ",
        "deepfake_lightning.cli.registry:diff",
        "registry diff v1.0.0 v1.1.0",
    ),
    "registry export": Command(
        "copy a version out of the registry",
        "deepfake_lightning.cli.registry_changes:export",
        "registry export v1.0.0 --out v1.0.0.tar.gz",
    ),
    "registry fetch": Command(
        "take a version from an MLflow server, every byte checked",
        "deepfake_lightning.cli.registry_mirror:fetch",
        "registry fetch v1.0.0 --server http://mlflow.example:5000",
    ),
    "registry history": Command(
        "show who registered, deployed and deleted what, and why; check that record",
        "deepfake_lightning.cli.registry_history:history",
        "registry history",
    ),
    "registry list": Command(
        "list the versions, with their figures and where they serve",
        "deepfake_lightning.cli.registry:list_versions",
        "registry list",
    ),
    "registry pull": Command(
        "bring versions from an object storage, verified",
        "deepfake_lightning.cli.registry_sharing:pull",
        "registry pull v1.0.0 --url s3://bucket/registry",
    ),
    "registry push": Command(
        "send versions to an object storage",
        "deepfake_lightning.cli.registry_sharing:push",
        "registry push v1.0.0 --url s3://bucket/registry",
    ),
    "registry mirror": Command(
        "tell an MLflow server of the versions, their figures and where they come from",
        "deepfake_lightning.cli.registry_mirror:mirror",
        "registry mirror --server http://mlflow.example:5000",
    ),
    "registry register": Command(
        "make a checkpoint or a bundle a version",
        "deepfake_lightning.cli.registry_changes:register",
        "registry register --ckpt_path mlops/runs/lite0/v1.0.0/checkpoints/best.ckpt",
    ),
    "registry show": Command(
        "show a version and its model card",
        "deepfake_lightning.cli.registry:show",
        "registry show v1.0.0",
    ),
    "registry sign": Command(
        "sign every file of a version with your key",
        "deepfake_lightning.cli.registry_signing:sign",
        "registry sign v1.0.0 --key key.pem",
    ),
    "registry verify": Command(
        "check that every version is what was registered; list them anew",
        "deepfake_lightning.cli.registry_changes:verify",
        "registry verify",
    ),
    "retrain": Command(
        "train what serves again, where production asks for it",
        "deepfake_lightning.cli.retrain:retrain",
        "retrain --dry_run true",
    ),
    "rollback": Command(
        "give the version that served before all the traffic again, at once",
        "deepfake_lightning.cli.rollback:rollback",
        'rollback --to v1.0.0 --reason "it is slow"',
    ),
    "serve": Command(
        "answer requests over HTTP: a picture in, an assessment out",
        "deepfake_lightning.cli.serve:serve",
        "serve --version v1.0.0",
    ),
    "validate": Command(
        "score a checkpoint on its run's val split",
        "deepfake_lightning.cli.training:validate",
        "validate --ckpt_path best",
        takes_args=True,
    ),
    "test": Command(
        "score a checkpoint on its run's test split",
        "deepfake_lightning.cli.training:test",
        "test --ckpt_path mlops/runs/deepfake-detection/v1.0.0/checkpoints/best.ckpt",
        takes_args=True,
    ),
    "token create": Command(
        "make a token for a caller of the server",
        "deepfake_lightning.cli.token:create",
        "token create newsroom --scopes predict,feedback --rate 600/minute --days 90",
    ),
    "token list": Command(
        "list the tokens: whose, for what, until when",
        "deepfake_lightning.cli.token:list_tokens",
        "token list",
    ),
    "token revoke": Command(
        "take a token's rights away, also on servers that run",
        "deepfake_lightning.cli.token:revoke",
        "token revoke newsroom",
    ),
    "tune": Command(
        "search better hyperparameters, on validation",
        "deepfake_lightning.cli.tune:tune",
        "tune --config configs/sweep.yaml --workers 2",
    ),
}
