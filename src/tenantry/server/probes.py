"""What an orchestrator asks: is the process alive, can it answer."""

from fastapi import APIRouter

from tenantry.api.common import Db
from tenantry.api.problems import problems
from tenantry.domain.errors import DatabaseUnavailable

router = APIRouter(tags=["probes"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@router.get("/readyz", responses=problems(DatabaseUnavailable))
async def readyz(db: Db) -> dict[str, str]:
    """The process can answer: its database does. Else a 503."""
    async with db.operator() as tx:
        await tx.value("SELECT 1")
    return {"status": "ok"}
