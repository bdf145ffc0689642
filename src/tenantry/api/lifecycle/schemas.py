"""What the routes of retention take and give."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tenantry.api.common import with_examples
from tenantry.domain.errors import FieldError
from tenantry.domain.lifecycle import MOST_DAYS, Retention, TenantRetention

Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]


class RetentionModel(BaseModel):
    """After how many days without use something is archived, and after how many, counted from the same use, it is
    deleted; null is never."""

    model_config = ConfigDict(extra="forbid")
    archive_after_days: Days | None = None
    delete_after_days: Days | None = None

    @classmethod
    def of(cls, kept: Retention) -> "RetentionModel":
        """The days as they are shown."""
        return cls(archive_after_days=kept.archive_after_days, delete_after_days=kept.delete_after_days)

    def faults(self, of: str) -> list[FieldError]:
        """What is wrong with the days of `of`."""
        archive, delete = self.archive_after_days, self.delete_after_days
        if delete is None or (archive is not None and archive <= delete):
            return []
        message = "needs an archive_after_days that is not above it: what is deleted was archived before"
        return [FieldError(f"{of}.delete_after_days", message)]


class TenantRetentionModel(BaseModel):
    """How long the tenant keeps contacts and agents that nobody uses. A contact with an appointment to come is in use;
    so are templates and the agent that answers when none is named."""

    model_config = with_examples({"contacts": {"archive_after_days": 90, "delete_after_days": 365}})
    contacts: RetentionModel = RetentionModel()
    agents: RetentionModel = RetentionModel()

    @classmethod
    def of(cls, kept: TenantRetention) -> "TenantRetentionModel":
        """The retention as it is shown."""
        return cls(contacts=RetentionModel.of(kept.contacts), agents=RetentionModel.of(kept.agents))

    def retention(self) -> TenantRetention:
        """The retention as the domain has it."""
        return TenantRetention(
            contacts=Retention(self.contacts.archive_after_days, self.contacts.delete_after_days),
            agents=Retention(self.agents.archive_after_days, self.agents.delete_after_days),
        )
