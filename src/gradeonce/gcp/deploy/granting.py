"""The steps that grant: one `gcloud` command for each, told apart by what the role is granted on."""

from __future__ import annotations

from gradeonce.gcp.deploy.deployment import Deployment
from gradeonce.gcp.deploy.grants import Grant, Kind, Who, member
from gradeonce.gcp.deploy.steps import Command, Look, Step, Wanted

DATABASE_CONDITION = "gradeonce-leases"
"""Title of the condition that keeps a role to one Firestore database."""

_LEGACY_ROLES = {"roles/bigquery.dataEditor": "WRITER"}
"""BigQuery lists a role of a dataset by the name that it had before IAM, and by no other."""


def granting(deployment: Deployment, grant: Grant) -> Step:
    """Return the step of one grant."""
    who = member(deployment, grant.who)
    # Roles of an account that is not ours may have been there before us: they stay.
    is_ours = not (grant.who is Who.RUNTIME and deployment.service_account)
    look, create, undo = _commands(deployment, grant, who)
    return Step(
        name=f"{grant.who} account: {grant.role.removeprefix('roles/')} on {_shown(grant)}",
        why=grant.why,
        look=look,
        create=create,
        undo=undo if is_ours else None,
    )


def _shown(grant: Grant) -> str:
    if not grant.name:
        return f"the {grant.kind}"
    return f"{grant.kind} {'of the trigger' if '$' in grant.name else grant.name.partition('@')[0]}"


def _commands(deployment: Deployment, grant: Grant, who: str) -> tuple[Look, Command, Command]:
    if grant.kind in (Kind.DATASET, Kind.TABLE):
        return _in_bigquery(deployment, grant, who)
    gcloud: dict[Kind, tuple[Command, str, Command]] = {
        Kind.PROJECT: (("gcloud", "projects"), deployment.project, ()),
        Kind.DATABASE: (("gcloud", "projects"), deployment.project, ()),
        Kind.TOPIC: (("gcloud", "pubsub", "topics"), grant.name, ()),
        Kind.SUBSCRIPTION: (("gcloud", "pubsub", "subscriptions"), grant.name, ()),
        Kind.SECRET: (("gcloud", "secrets"), grant.name, ()),
        Kind.SERVICE: (("gcloud", "run", "services"), grant.name, (f"--region={deployment.region}",)),
        Kind.ACCOUNT: (("gcloud", "iam", "service-accounts"), grant.name, ()),
    }
    group, name, place = gcloud[grant.kind]
    where = (name, *place) if group == ("gcloud", "projects") else (name, *place, f"--project={deployment.project}")
    binding = (f"--member={who}", f"--role={grant.role}", *_condition(deployment, grant))
    title = DATABASE_CONDITION if grant.kind is Kind.DATABASE else ""
    return (
        Look(
            (*group, "get-iam-policy", *where, "--format=json"),
            (Wanted("role", grant.role), Wanted("members", who), Wanted("condition.title", title)),
            inside="bindings",
        ),
        (*group, "add-iam-policy-binding", *where, *binding, "--quiet", "--format=none"),
        (*group, "remove-iam-policy-binding", *where, *binding, "--quiet", "--format=none"),
    )


def _condition(deployment: Deployment, grant: Grant) -> tuple[str, ...]:
    if grant.kind is Kind.PROJECT:
        # Said out loud: in a policy that has conditions, gcloud would ask which one is meant.
        return ("--condition=None",)
    if grant.kind is Kind.DATABASE:
        name = f"projects/{deployment.project}/databases/{grant.name}"
        return (f'--condition=expression=resource.name=="{name}",title={DATABASE_CONDITION}',)
    return ()


def _in_bigquery(deployment: Deployment, grant: Grant, who: str) -> tuple[Look, Command, Command]:
    # gcloud knows no datasets, and bq grants on tables only; SQL grants on both, and says so when it cannot.
    bq = ("bq", "--headless", f"--project_id={deployment.project}")
    query = (*bq, f"--location={deployment.dataset_location}", "query", "--use_legacy_sql=false")
    if grant.kind is Kind.DATASET:
        place = f"SCHEMA `{deployment.project}`.`{grant.name}`"
        look = Look(
            (*bq, "--format=json", "show", "--dataset", f"{deployment.project}:{grant.name}"),
            (Wanted("role", _LEGACY_ROLES[grant.role]), Wanted("userByEmail", who.partition(":")[2])),
            inside="access",
        )
    else:
        project, dataset, table = grant.name.split(".")
        place = f"TABLE `{project}`.`{dataset}`.`{table}`"
        look = Look(
            (*bq, "--format=json", "get-iam-policy", f"{project}:{dataset}.{table}"),
            (Wanted("role", grant.role), Wanted("members", who)),
            inside="bindings",
        )
    return (
        look,
        (*query, f'GRANT `{grant.role}` ON {place} TO "{who}"'),
        (*query, f'REVOKE `{grant.role}` ON {place} FROM "{who}"'),
    )
