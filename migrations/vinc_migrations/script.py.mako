"""${message}."""

% if "sa." in upgrades + downgrades or upgrades == "pass":
import sqlalchemy as sa
% endif
% if "op." in upgrades + downgrades or upgrades == "pass":
from alembic import op
% endif
<%
names = ("disable_append_only", "disable_row_level_security", "enable_append_only", "enable_row_level_security")
used = [name for name in names if f"{name}(" in upgrades + downgrades]
%>\
% if used:
% if "sa." in upgrades + downgrades or "op." in upgrades + downgrades:

% endif
from vinc_migrations import ${", ".join(used)}
% endif

revision = "${up_revision}"
down_revision = ${'"%s"' % down_revision if down_revision else None}


def upgrade() -> None:
    ${upgrades}


def downgrade() -> None:
    ${downgrades}
