"""What functions must not do: checked by `vinc db check` and every upgrade."""

from vinc_kernel.database.catalog_checks import CatalogCheck

# A session looks at the text of its statements, and not into the functions that they call.
FUNCTIONS = (
    CatalogCheck(
        "what the function does outlives its transaction, and others get the connection next; use "
        "set_config(..., true), `set local` or pg_advisory_xact_lock(), no LISTEN, or comment on it `vinc: why`",
        r"""select name, '' from function where body ~* '(?x)
            \mset_config\s*\( (?: [^()] | \([^()]*\) )* , \s* (?! true\s*\) ) [^,()]+ \)
          | \mpg_(?:try_)?advisory_(?:un)?lock
          | (?: ^ | ; | \m(?:begin|then|else|loop)\M ) \s* (?: (?:un)?listen\M | set\s+(?!local\M|constraints\M) )'
        and obj_description(oid, 'pg_proc') like {exception} is not true""",
    ),
)
