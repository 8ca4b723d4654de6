"""${message}."""
<%
from vinc_migrations import __all__ as names
lines = (upgrades + "\n" + downgrades).splitlines()
code = "\n".join(line for line in lines if not line.strip().startswith("#"))
used = [name for name in names if f"{name}(" in code]
%>\

% if "sa." in code or upgrades == "pass":
import sqlalchemy as sa
% endif
% if "op." in code or upgrades == "pass":
from alembic import op
% endif
% if used:
% if "sa." in code or "op." in code:

% endif
from vinc_migrations import ${", ".join(used)}
% endif

revision = "${up_revision}"
down_revision = ${'"%s"' % down_revision if down_revision else None}


def upgrade() -> None:
    ${upgrades}


def downgrade() -> None:
    ${downgrades}
