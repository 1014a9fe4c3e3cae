"""How long a phase waited for its device."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("phases", sa.Column("waited_s", sa.Double(), nullable=False, server_default="0"))
