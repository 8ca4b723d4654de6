"""Every query of the development issuer."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Interval, bindparam, case, delete, func, insert, not_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.sql import Executable

from vinc_kernel import Session
from vinc_kernel.rest import uuid7

from .models import Failure, Invite, Key, SignInSession, User
from .schemas import Account, Invited, PublishedKey, Renewed, StoredKey, Tried, Tries

LOCKED = timedelta(minutes=15)  # how long tries count, and how long they lock
LONGEST_INVITE = timedelta(hours=24)
# A key is told for so long before it signs: whoever fetches keys more often than this knows it by then.
UNTIL_IT_SIGNS = timedelta(seconds=60)
MUTEX = 0x6B657973  # "keys" in ASCII: the advisory lock of whoever makes a key
ACCOUNT = tuple(getattr(User, name) for name in Account.__dataclass_fields__)
THIS_USER = User.id == bindparam("this")

LOCK_KEYS = select(func.pg_advisory_xact_lock(MUTEX))
KEYS = select(Key.kid, (Key.created_at <= func.clock_timestamp() - UNTIL_IT_SIGNS).label("signs")).order_by(
    Key.created_at, Key.kid
)
STORED_KEY = select(Key.kid, Key.private_jwk).where(Key.kid == bindparam("this"))
STORED_KEYS = select(Key.kid, Key.private_jwk).order_by(Key.created_at, Key.kid)
# By the clock, and not by when the transaction began: whoever waited for the lock comes after whoever had it.
ADD_KEY = insert(Key).values(
    kid=bindparam("kid"), private_jwk=bindparam("private_jwk"), created_at=func.clock_timestamp()
)
# A key signs until the next one does; `life` is how long that next one must have been there.
SUCCESSORS = select(func.max(Key.created_at)).where(
    Key.created_at <= func.clock_timestamp() - bindparam("life", type_=Interval)
)
DROP_OLD_KEYS = delete(Key).where(Key.created_at < SUCCESSORS.scalar_subquery())
DROP_OTHER_KEYS = delete(Key).where(Key.kid != bindparam("this"))

ONE = select(*ACCOUNT).where(THIS_USER)
BY_NAME: Mapping[str, Executable] = {
    "email": select(*ACCOUNT).where(User.email == bindparam("name")),
    "client_id": select(*ACCOUNT).where(User.client_id == bindparam("name")),
}
ALL = select(*ACCOUNT).order_by(User.email, User.client_id)
ADD = upsert(User).on_conflict_do_nothing().returning(*ACCOUNT)
SET_GENERATION = update(User).where(THIS_USER).values(generation=func.greatest(User.generation, bindparam("wanted")))
SET_PASSWORD = (
    update(User).where(THIS_USER).values(password_hash=bindparam("hashed"), temporary=bindparam("is_temporary"))
)
DELETE_SERVICE = delete(User).where(THIS_USER, User.client_id.is_not(None))
SET_ENABLED = update(User).where(THIS_USER).values(enabled=bindparam("is_enabled"))

# `count` is taken before the password is looked at, in one statement, so that no number of guesses at once slips past.
IS_OVER = Failure.since <= func.now() - LOCKED
LOCKS = Failure.count + 1 == bindparam("most")
COUNT = (
    upsert(Failure)
    .values(key=bindparam("this"), count=1, since=func.now())
    .on_conflict_do_update(
        index_elements=[Failure.key],
        set_={
            "count": case((IS_OVER, 1), else_=Failure.count + 1),
            "since": case((IS_OVER | LOCKS, func.now()), else_=Failure.since),
        },
    )
    .returning(Failure.count)
)
UNCOUNT = update(Failure).where(Failure.key == bindparam("this"), Failure.count > 0).values(count=Failure.count - 1)
FORGET = delete(Failure).where(Failure.key == bindparam("this"))
TRIED_OFTEN = (
    select(Failure.key, Failure.count, Failure.since)
    .where(not_(IS_OVER), Failure.count >= bindparam("least"))
    .order_by(Failure.since, Failure.key)
)
# Whoever counts has locked its rows in an order of its own: those are passed over, as nobody may wait for this.
STALE = select(Failure.key).where(IS_OVER).with_for_update(skip_locked=True)
FORGET_STALE = delete(Failure).where(Failure.key.in_(STALE))

# Of whoever has the password still that was proved; a new one waits for this, or this for it.
ADD_SESSION = insert(SignInSession).from_select(
    ["id", "user_id", "scope", "family_hash", "refresh_hash", "generation", "expires_at"],
    select(
        bindparam("id", type_=SignInSession.id.type),
        User.id,
        bindparam("scope", type_=SignInSession.scope.type),
        bindparam("family_hash", type_=SignInSession.family_hash.type),
        bindparam("refresh_hash", type_=SignInSession.refresh_hash.type),
        bindparam("generation", type_=SignInSession.generation.type),
        func.now() + bindparam("life", type_=Interval),
    )
    .where(User.id == bindparam("user_id"), User.password_hash == bindparam("proved"))
    .with_for_update(read=True),
)
RENEW = (
    update(SignInSession)
    .where(
        SignInSession.family_hash == bindparam("family"),
        SignInSession.refresh_hash == bindparam("used"),
        SignInSession.expires_at > func.now(),
        SignInSession.user_id == User.id,
        SignInSession.generation >= User.generation,
        User.enabled,
    )
    .values(refresh_hash=bindparam("following"))
    .returning(SignInSession.id, SignInSession.user_id, SignInSession.scope, SignInSession.generation)
)
END_FAMILY = delete(SignInSession).where(SignInSession.family_hash == bindparam("family"))
END_SESSIONS = delete(SignInSession).where(SignInSession.user_id == bindparam("this"))
END_EXPIRED = END_SESSIONS.where(SignInSession.expires_at <= func.now())

INVITE = upsert(Invite).values(
    user_id=bindparam("this"), token_hash=bindparam("hashed"), expires_at=func.now() + LONGEST_INVITE
)
INVITE = INVITE.on_conflict_do_update(
    index_elements=[Invite.user_id],
    set_={"token_hash": INVITE.excluded.token_hash, "expires_at": INVITE.excluded.expires_at},
)
HOLDS = (Invite.token_hash == bindparam("hashed"), Invite.expires_at > func.now())
INVITED = select(Invite.user_id, User.email).join(User, User.id == Invite.user_id).where(*HOLDS)
USE_INVITE = delete(Invite).where(*HOLDS)
WITHDRAW_INVITE = delete(Invite).where(Invite.user_id == bindparam("this"))


async def lock_keys(db: Session) -> None:
    """Make keys, and nobody else does until this transaction ends."""
    await db.execute(LOCK_KEYS)


async def keys(db: Session) -> list[PublishedKey]:
    """All keys without their private parts, the oldest first."""
    return await db.all(KEYS, PublishedKey)


async def stored_key(db: Session, kid: str) -> StoredKey | None:
    """The key with this id."""
    return await db.one_or_none(STORED_KEY, StoredKey, {"this": kid})


async def stored_keys(db: Session) -> list[StoredKey]:
    """All keys, the oldest first."""
    return await db.all(STORED_KEYS, StoredKey)


async def add_key(db: Session, key: StoredKey) -> None:
    """Add a key; the keys are locked."""
    await db.execute(ADD_KEY, {"kid": key.kid, "private_jwk": key.private_jwk})


async def drop_old_keys(db: Session, life: timedelta) -> int:
    """Drop those that signed nothing that still holds; tokens live so long. Tells how many."""
    return await db.execute(DROP_OLD_KEYS, {"life": life + UNTIL_IT_SIGNS})


async def drop_other_keys(db: Session, kid: str) -> int:
    """Drop all but this one; tells how many."""
    return await db.execute(DROP_OTHER_KEYS, {"this": kid})


async def one(db: Session, user_id: UUID) -> Account | None:
    """The account with this id."""
    return await db.one_or_none(ONE, Account, {"this": user_id})


async def named(db: Session, kind: Literal["email", "client_id"], name: str) -> Account | None:
    """The person with this e-mail address, or the service account with this client id."""
    return await db.one_or_none(BY_NAME[kind], Account, {"name": name})


async def every(db: Session) -> list[Account]:
    """All accounts: persons by their address, then service accounts."""
    return await db.all(ALL, Account)


async def add(db: Session, accounts: Sequence[Mapping[str, Any]]) -> list[Account]:
    """Add those accounts whose address or client id nobody has; returns them."""
    usual = {"email": None, "client_id": None, "password_hash": None, "temporary": False, "enabled": True}
    rows = [{**usual, "id": uuid7(), "generation": 0, **one} for one in accounts]
    return await db.all(ADD.values(rows), Account)


async def change(db: Session, user_id: UUID, values: Mapping[str, Any]) -> int:
    """Change these columns; tells how many rows that were: none where there is no such account."""
    return await db.execute(update(User).where(THIS_USER).values(**values), {"this": user_id})


async def set_enabled(db: Session, user_id: UUID, *, enabled: bool) -> int:
    """Let an account get tokens, or keep it from that; tells how many rows that were."""
    return await db.execute(SET_ENABLED, {"this": user_id, "is_enabled": enabled})


async def set_password(db: Session, user_id: UUID, hashed: str, *, temporary: bool) -> int:
    """Set a password by its hash, and end what the one before began; tells how many accounts that were."""
    found = await db.execute(SET_PASSWORD, {"this": user_id, "hashed": hashed, "is_temporary": temporary})
    await db.execute(WITHDRAW_INVITE, {"this": user_id})
    await db.execute(END_SESSIONS, {"this": user_id})
    return found


async def raise_generation(db: Session, user_id: UUID, generation: int) -> int:
    """Have tokens carry this number, unless they carry a higher one; tells how many accounts that were."""
    return await db.execute(SET_GENERATION, {"this": user_id, "wanted": generation})


async def delete_service(db: Session, user_id: UUID) -> int:
    """Take a service account away, which has neither sessions nor invites; tells how many rows that were."""
    return await db.execute(DELETE_SERVICE, {"this": user_id})


async def count_and_find(
    db: Session, tries: Sequence[tuple[str, int]], kind: Literal["email", "client_id"], name: str
) -> tuple[list[int], Account | None]:
    """Count a try for each of these keys, which lock after so many, and find whose password it would be."""
    counting = [(COUNT, Tries, {"this": key, "most": most}) for key, most in tries]
    *counted, found = await db.batch(*counting, (BY_NAME[kind], Account, {"name": name}))
    return [each.count for (each,) in counted], found[0] if found else None


async def forgive(db: Session, address: str, account: str) -> None:
    """Take back a try that was no failure, in the order in which tries are counted."""
    await db.execute(UNCOUNT, {"this": address})
    await db.execute(FORGET, {"this": account})
    await db.execute(FORGET_STALE)


async def tried_often(db: Session, least: int) -> list[Tried]:
    """What was tried so often or more, and still counts; the earliest first."""
    return await db.all(TRIED_OFTEN, Tried, {"least": least})


async def forget(db: Session, keys: Sequence[str]) -> int:
    """Count no tries under these keys any more; tells under how many there were some."""
    return sum([await db.execute(FORGET, {"this": key}) for key in keys])


async def add_session(db: Session, values: Mapping[str, Any]) -> bool:
    """Begin a session, and clear away those of the same user that have expired; False where the password is another."""
    await db.execute(END_EXPIRED, {"this": values["user_id"]})
    return await db.execute(ADD_SESSION, values) == 1


async def renew(db: Session, family: str, used: str, following: str) -> Renewed | None:
    """Exchange a refresh token; None when it is not the present one of a session that still holds."""
    return await db.one_or_none(RENEW, Renewed, {"family": family, "used": used, "following": following})


async def end_family(db: Session, family: str) -> int:
    """End the session of a refresh token, present or past; tells how many that were."""
    return await db.execute(END_FAMILY, {"family": family})


async def end_sessions(db: Session, user_id: UUID) -> None:
    """End all sessions of an account."""
    await db.execute(END_SESSIONS, {"this": user_id})


async def invite(db: Session, user_id: UUID, hashed: str) -> None:
    """Keep the hash of a link's token, in the place of an earlier one."""
    await db.execute(INVITE, {"this": user_id, "hashed": hashed})


async def invited(db: Session, hashed: str) -> Invited | None:
    """Whose link this is, if it still holds."""
    return await db.one_or_none(INVITED, Invited, {"hashed": hashed})


async def use_invite(db: Session, hashed: str) -> bool:
    """Take a link away; False when somebody else was faster, or its time is over."""
    return await db.execute(USE_INVITE, {"hashed": hashed}) == 1
