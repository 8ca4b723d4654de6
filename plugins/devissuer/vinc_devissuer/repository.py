"""The queries of the development issuer."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import DateTime, bindparam, case, delete, func, insert, not_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql import Executable

from vinc_kernel import Session
from vinc_kernel.rest import uuid7

from .models import Failure, Invite, Key, SignInSession, User
from .schemas import Account, FailureRow, InvitedUser, KeyState, RenewedSession, StoredKey

LOCK_TIME = timedelta(minutes=15)  # for which attempts count, and for which they lock
INVITE_TIME = timedelta(hours=24)
# A key is published for so long before it signs: a verifier that fetches keys more often than this knows it by then.
PUBLISH_TIME = timedelta(seconds=60)
KEYS_LOCK = 0x6B657973  # "keys" in ASCII: the advisory lock for creating keys
NOW = bindparam("now", type_=DateTime(timezone=True))
ACCOUNT = tuple(getattr(User, name) for name in Account.__dataclass_fields__)
HAS_ID = User.id == bindparam("by_id")

LOCK_KEYS = select(func.pg_advisory_xact_lock(KEYS_LOCK))
KEYS = select(Key.kid, (Key.created_at <= NOW - PUBLISH_TIME).label("signs")).order_by(Key.created_at, Key.kid)
STORED_KEY = select(Key.kid, Key.private_jwk).where(Key.kid == bindparam("by_kid"))
STORED_KEYS = select(Key.kid, Key.private_jwk).order_by(Key.created_at, Key.kid)
# The time is taken once the keys are locked: of two workers the one that waited for the lock has the later key.
ADD_KEY = insert(Key).values(kid=bindparam("kid"), private_jwk=bindparam("private_jwk"), created_at=NOW)
# A key signs until the next one does: it is dropped when a later one was created before this time.
SUCCESSORS = select(func.max(Key.created_at)).where(Key.created_at <= bindparam("before"))
DROP_OLD_KEYS = delete(Key).where(Key.created_at < SUCCESSORS.scalar_subquery())
DROP_OTHER_KEYS = delete(Key).where(Key.kid != bindparam("by_kid"))

ONE = select(*ACCOUNT).where(HAS_ID)
BY_NAME: Mapping[str, Executable] = {
    "email": select(*ACCOUNT).where(User.email == bindparam("name")),
    "client_id": select(*ACCOUNT).where(User.client_id == bindparam("name")),
}
ALL = select(*ACCOUNT).order_by(User.email, User.client_id)
ADD = upsert(User).on_conflict_do_nothing().returning(*ACCOUNT)
SET_GENERATION = update(User).where(HAS_ID).values(generation=func.greatest(User.generation, bindparam("wanted")))
SET_PASSWORD = update(User).where(HAS_ID).values(password_hash=bindparam("hashed"), temporary=bindparam("is_temporary"))
DELETE_SERVICE = delete(User).where(HAS_ID, User.client_id.is_not(None))
SET_ENABLED = update(User).where(HAS_ID).values(enabled=bindparam("is_enabled"))

# Counted before the password is verified, in one statement, so that concurrent guesses count too.
IS_OVER = Failure.since <= NOW - LOCK_TIME
LOCKS = Failure.count + 1 == bindparam("limit")
COUNT = (
    upsert(Failure)
    .values(key=bindparam("by_key"), count=1, since=NOW)
    .on_conflict_do_update(
        index_elements=[Failure.key],
        set_={
            "count": case((IS_OVER, 1), else_=Failure.count + 1),
            "since": case((IS_OVER | LOCKS, NOW), else_=Failure.since),
        },
    )
    .returning(Failure.count)
)
UNCOUNT = update(Failure).where(Failure.key == bindparam("by_key"), Failure.count > 0).values(count=Failure.count - 1)
FORGET = delete(Failure).where(Failure.key == bindparam("by_key"))
LIST_FAILURES = (
    select(Failure.key, Failure.count, Failure.since)
    .where(not_(IS_OVER), Failure.count >= bindparam("at_least"))
    .order_by(Failure.since, Failure.key)
)
# Rows that another sign-in has locked are skipped, as nothing may wait for this.
STALE = select(Failure.key).where(IS_OVER).with_for_update(skip_locked=True)
FORGET_STALE = delete(Failure).where(Failure.key.in_(STALE))

# Only while the password is the one that was verified: a change of the password and this wait for each other.
ADD_SESSION = insert(SignInSession).from_select(
    ["id", "user_id", "scope", "family_hash", "refresh_hash", "generation", "expires_at"],
    select(
        bindparam("id", type_=SignInSession.id.type),
        User.id,
        bindparam("scope", type_=SignInSession.scope.type),
        bindparam("family_hash", type_=SignInSession.family_hash.type),
        bindparam("refresh_hash", type_=SignInSession.refresh_hash.type),
        bindparam("generation", type_=SignInSession.generation.type),
        bindparam("expires_at", type_=SignInSession.expires_at.type),
    )
    .where(User.id == bindparam("user_id"), User.password_hash == bindparam("verified_hash"))
    .with_for_update(read=True),
)
RENEW = (
    update(SignInSession)
    .where(
        SignInSession.family_hash == bindparam("family"),
        SignInSession.refresh_hash == bindparam("current"),
        SignInSession.expires_at > NOW,
        SignInSession.user_id == User.id,
        SignInSession.generation >= User.generation,
        User.enabled,
    )
    .values(refresh_hash=bindparam("next"))
    .returning(SignInSession.id, SignInSession.user_id, SignInSession.scope, SignInSession.generation)
)
END_FAMILY = delete(SignInSession).where(SignInSession.family_hash == bindparam("family"))
END_SESSIONS = delete(SignInSession).where(SignInSession.user_id == bindparam("by_id"))
END_EXPIRED = END_SESSIONS.where(SignInSession.expires_at <= NOW)

INVITE = upsert(Invite).values(user_id=bindparam("by_id"), token_hash=bindparam("hashed"), expires_at=NOW + INVITE_TIME)
INVITE = INVITE.on_conflict_do_update(
    index_elements=[Invite.user_id],
    set_={"token_hash": INVITE.excluded.token_hash, "expires_at": INVITE.excluded.expires_at},
)
IS_VALID = (Invite.token_hash == bindparam("hashed"), Invite.expires_at > NOW)
FIND_INVITE = select(Invite.user_id, User.email).join(User, User.id == Invite.user_id).where(*IS_VALID)
USE_INVITE = delete(Invite).where(*IS_VALID)
WITHDRAW_INVITE = delete(Invite).where(Invite.user_id == bindparam("by_id"))


async def lock_keys(db: Session) -> None:
    await db.execute(LOCK_KEYS)


async def list_keys(db: Session, now: datetime) -> list[KeyState]:
    """Return all keys without their private parts, the oldest first."""
    return await db.all(KEYS, KeyState, {"now": now})


async def get_key(db: Session, kid: str) -> StoredKey | None:
    return await db.one_or_none(STORED_KEY, StoredKey, {"by_kid": kid})


async def list_stored_keys(db: Session) -> list[StoredKey]:
    """Return all keys, the oldest first."""
    return await db.all(STORED_KEYS, StoredKey)


async def add_key(db: Session, key: StoredKey, now: datetime) -> None:
    """Add a key; the keys must be locked."""
    await db.execute(ADD_KEY, {"kid": key.kid, "private_jwk": key.private_jwk, "now": now})


async def drop_old_keys(db: Session, now: datetime, token_life: timedelta) -> int:
    """Delete the keys that no valid token was signed with, and return how many."""
    return await db.execute(DROP_OLD_KEYS, {"before": now - PUBLISH_TIME - token_life})


async def drop_other_keys(db: Session, kid: str) -> int:
    return await db.execute(DROP_OTHER_KEYS, {"by_kid": kid})


async def get(db: Session, user_id: UUID) -> Account | None:
    return await db.one_or_none(ONE, Account, {"by_id": user_id})


async def find(db: Session, kind: Literal["email", "client_id"], name: str) -> Account | None:
    return await db.one_or_none(BY_NAME[kind], Account, {"name": name})


async def list_all(db: Session) -> list[Account]:
    """Return all accounts: people by address, then service accounts by client id."""
    return await db.all(ALL, Account)


async def add(db: Session, accounts: Sequence[Mapping[str, Any]]) -> list[Account]:
    """Add the accounts whose address or client id is free, and return them."""
    defaults = {"email": None, "client_id": None, "password_hash": None, "temporary": False, "enabled": True}
    rows = [{**defaults, "id": uuid7(), "generation": 0, **one} for one in accounts]
    return await db.all(ADD.values(rows), Account)


async def change(db: Session, user_id: UUID, values: Mapping[str, Any]) -> bool:
    return await db.execute(update(User).where(HAS_ID).values(**values), {"by_id": user_id}) == 1


async def set_enabled(db: Session, user_id: UUID, *, enabled: bool) -> bool:
    return await db.execute(SET_ENABLED, {"by_id": user_id, "is_enabled": enabled}) == 1


async def set_password(db: Session, user_id: UUID, hashed: str, *, temporary: bool) -> bool:
    """Set a password by its hash and end all sessions; False where there is no such account."""
    exists = await db.execute(SET_PASSWORD, {"by_id": user_id, "hashed": hashed, "is_temporary": temporary}) == 1
    await db.execute(WITHDRAW_INVITE, {"by_id": user_id})
    await db.execute(END_SESSIONS, {"by_id": user_id})
    return exists


async def raise_generation(db: Session, user_id: UUID, generation: int) -> bool:
    """Set the generation, unless it is higher; False where there is no such account."""
    return await db.execute(SET_GENERATION, {"by_id": user_id, "wanted": generation}) == 1


async def delete_service(db: Session, user_id: UUID) -> bool:
    """Delete a service account, which has neither sessions nor invites; False where there is none."""
    return await db.execute(DELETE_SERVICE, {"by_id": user_id}) == 1


async def count_and_find(
    db: Session, limits: Mapping[str, int], kind: Literal["email", "client_id"], name: str, now: datetime
) -> tuple[list[int], Account | None]:
    """Count an attempt for each key, which locks at its limit, and find the account."""
    counting = [(COUNT, dict, {"by_key": key, "limit": limit, "now": now}) for key, limit in limits.items()]
    *counted, accounts = await db.batch(*counting, (BY_NAME[kind], Account, {"name": name}))
    return [each["count"] for (each,) in counted], accounts[0] if accounts else None


async def forgive(db: Session, address: str, account: str, now: datetime) -> None:
    """Take back a successful attempt, in the order in which attempts are counted."""
    await db.execute(UNCOUNT, {"by_key": address})
    await db.execute(FORGET, {"by_key": account})
    await db.execute(FORGET_STALE, {"now": now})


async def list_failures(db: Session, at_least: int, now: datetime) -> list[FailureRow]:
    """Return the keys with at least so many attempts that still count, the earliest first."""
    return await db.all(LIST_FAILURES, FailureRow, {"at_least": at_least, "now": now})


async def forget(db: Session, keys: Sequence[str]) -> int:
    return sum([await db.execute(FORGET, {"by_key": key}) for key in keys])


async def add_session(db: Session, values: Mapping[str, Any], now: datetime) -> bool:
    """Start a session, and delete the user's expired ones; False where the password has changed."""
    await db.execute(END_EXPIRED, {"by_id": values["user_id"], "now": now})
    return await db.execute(ADD_SESSION, values) == 1


async def renew(db: Session, family: str, current: str, following: str, now: datetime) -> RenewedSession | None:
    """Replace a refresh token; None where it is not the current one of a valid session."""
    values = {"family": family, "current": current, "next": following, "now": now}
    return await db.one_or_none(RENEW, RenewedSession, values)


async def end_family(db: Session, family: str) -> int:
    """End the session of a refresh token, current or old, and return how many there were."""
    return await db.execute(END_FAMILY, {"family": family})


async def end_sessions(db: Session, user_id: UUID) -> None:
    await db.execute(END_SESSIONS, {"by_id": user_id})


async def invite(db: Session, user_id: UUID, hashed: str, now: datetime) -> None:
    """Store the hash of a link's token, in place of an earlier one."""
    await db.execute(INVITE, {"by_id": user_id, "hashed": hashed, "now": now})


async def find_invite(db: Session, hashed: str, now: datetime) -> InvitedUser | None:
    return await db.one_or_none(FIND_INVITE, InvitedUser, {"hashed": hashed, "now": now})


async def use_invite(db: Session, hashed: str, now: datetime) -> bool:
    """Delete a link; False where it was used already, or has expired."""
    return await db.execute(USE_INVITE, {"hashed": hashed, "now": now}) == 1
