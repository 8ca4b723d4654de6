"""${message}."""

% if "sa." in upgrades + downgrades or upgrades == "pass":
import sqlalchemy as sa
% endif
% if "op." in upgrades + downgrades or upgrades == "pass":
from alembic import op
% endif
% if "enable_row_level_security(" in upgrades:

from vinc_migrations import enable_row_level_security
% endif

revision = "${up_revision}"
down_revision = ${'"%s"' % down_revision if down_revision else None}


def upgrade() -> None:
    ${upgrades}


def downgrade() -> None:
    ${downgrades}
