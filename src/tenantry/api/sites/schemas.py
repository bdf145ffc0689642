"""What the sites' routes take and give."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from tenantry.api.common import with_examples
from tenantry.domain.call import Site


class SiteIn(BaseModel):
    """A web site that opens calls: from these origins alone, as in `https://www.example.com`, to the agents of the
    tenant's routing, or to one of `agent_ids` where the page names it."""

    model_config = with_examples({"name": "Shop", "origins": ["https://www.example.com"]})
    name: Annotated[str, Field(min_length=1, max_length=100)]
    origins: Annotated[list[Annotated[str, Field(max_length=300)]], Field(min_length=1, max_length=20)]
    agent_ids: Annotated[list[UUID], Field(max_length=100)] = []


class SiteOut(BaseModel):
    """A site. Its public key is no secret: it stands in the site's pages."""

    id: UUID
    name: str
    public_key: str
    origins: list[str]
    agent_ids: list[UUID]
    created_at: datetime

    @classmethod
    def of(cls, site: Site) -> "SiteOut":
        """The site as it is shown."""
        return cls(
            id=site.id,
            name=site.name,
            public_key=site.public_key,
            origins=list(site.origins),
            agent_ids=list(site.agent_ids),
            created_at=site.created_at,
        )


class SiteList(BaseModel):
    """All sites, newest first."""

    items: list[SiteOut]
