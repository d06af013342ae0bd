"""Everything that gradeonce needs on Google Cloud: a plan that is data, carried out by the `gcloud` of the machine."""

from gradeonce.gcp.deploy.apply import Deployed, StepDone, StepState, deploy
from gradeonce.gcp.deploy.deployment import Deployment, Shape
from gradeonce.gcp.deploy.gcloud import Gcloud
from gradeonce.gcp.deploy.plan import plan
from gradeonce.gcp.deploy.rollback import Removal, RemovalState, Return, remove_everything, return_to
from gradeonce.gcp.deploy.script import script
from gradeonce.gcp.deploy.source import source_files, with_fingerprint, write_source
from gradeonce.gcp.deploy.standing import Fact, Standing, look_around
from gradeonce.gcp.deploy.steps import Command, Look, Plan, Step, Wanted

__all__ = [
    "Command",
    "Deployed",
    "Deployment",
    "Fact",
    "Gcloud",
    "Look",
    "Plan",
    "Removal",
    "RemovalState",
    "Return",
    "Shape",
    "Standing",
    "Step",
    "StepDone",
    "StepState",
    "Wanted",
    "deploy",
    "look_around",
    "plan",
    "remove_everything",
    "return_to",
    "script",
    "source_files",
    "with_fingerprint",
    "write_source",
]
