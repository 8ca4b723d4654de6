"""What functions must not do: checked by `vinc db check` and every upgrade."""

from vinc_kernel.database.catalog_checks import CatalogCheck

# A session looks at the text of its statements, and not into the functions that they call. `code` is a function without
# its texts and comments, whichever begins first; names in quotes stay. An argument of set_config() may have three pairs
# of parentheses inside each other: what is deeper is a finding, as is all that does not end in a plain `true`.
FUNCTIONS = (
    CatalogCheck(
        "{}, or comment on it `vinc: why`",
        r"""select name, what from function, regexp_replace(body, '(?x)
            ("[^"]*")
          | \me''(?: [^''\\] | \\. | '''' )*'' | ''(?: [^''] | '''' )*''
          | \$\w*\$ [^$]* \$\w*\$
          | --[^\n]* | /\*(?: [^*] | \*+[^*/] )*\*+/', ' \1 ', 'gi') as code, (values ('(?x)
            \mset_config\M"?\s*\( (?! (?: [^()] | \( (?: [^()] | \( (?: [^()] | \([^()]*\) )* \) )* \) )*
              , \s* (?: is_local\s*[:=]=?>?\s* )? true \s*\) )
          | \mpg_(?:try_)?advisory_(?:un)?lock | \msetseed\M"?\s*\( | \mu&\s*"
          | \mcreate\s+ (?: (?:global|local)\s+ )? temp(?:orary)?\M (?! [^;]* \mon\s+commit\s+drop\M )
          | \minto\s+temp(?:orary)?\s+table\M | \mwith\s+hold\M
          | \mupdate\s+ (?:only\s+)? (?:"?pg_catalog"?\s*\.\s*)? "?\mpg_settings\M
          | (?: ^ | ; | \m(?:begin|then|else|loop)\M ) \s* (?:
              (?:un)?listen\s+ (?!end\M) ["\w*]+ \s* (?: ; | $ )
            | set\s+ (?! (?:local|constraints|transaction)\M )
            | (?:reset|discard|deallocate)\s+ (?!end\M) ["\w]
            | prepare\s+ ["\w]+ \s* (?: \( | as\M ) )',
          'what the function does outlives its transaction, and others get the connection next; use '
          'set_config(..., true), `set local` or pg_advisory_xact_lock(), no LISTEN'), (
          '\mexecute\M(?!\s+(?:on|function|procedure)\M|\s*[,.)])',
          'nobody can look into the text that the function executes; write the statement itself')
        ) as never (pattern, what)
        where code ~* pattern and obj_description(oid, 'pg_proc') like {exception} is not true""",
    ),
)
