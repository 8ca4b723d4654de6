"""What must not be in the catalog about keys and indexes: checked by `vinc db check` and every upgrade."""

from vinc_kernel.database.catalog_checks import CatalogCheck

# Keys see every tenant's rows: they tell what exists, and cascade across tenants, unless tenant_id comes first.
KEYS = (
    CatalogCheck(
        "tenant_id may be null; make it not null",
        "select relname, '' from owned where not relispartition and not attnotnull",
    ),
    CatalogCheck(
        "the unique index {} does not begin with tenant_id",
        """select relname, indexrelid::regclass::text from pg_index join owned on owned.oid = indrelid
        where indisunique and indkey[0] <> attnum""",
    ),
    CatalogCheck(
        "the exclusion constraint {} does not compare tenant_id by =",
        """select relname, conname::text from pg_constraint join owned on owned.oid = conrelid
        where contype = 'x' and not exists (select from unnest(conkey, conexclop) as key (col, operator)
          join pg_operator o on o.oid = operator where col = attnum and oprname = '=')""",
    ),
    CatalogCheck(
        "the foreign key {} does not begin with tenant_id",
        """select a.relname, conname::text from pg_constraint
        join owned a on a.oid = conrelid join owned b on b.oid = confrelid
        where contype = 'f' and (conkey[1] <> a.attnum or confkey[1] <> b.attnum)""",
    ),
    CatalogCheck(
        "the foreign key {} would empty tenant_id; write `on delete set null (column)`, and no such `on update`",
        """select relname, conname::text from pg_constraint join owned on owned.oid = conrelid
        where contype = 'f' and attnum = any(conkey) and (confupdtype in ('n', 'd')
          or confdeltype in ('n', 'd') and attnum = any(coalesce(confdelsetcols, conkey)))""",
    ),
    CatalogCheck(
        "the index {} is invalid",
        """select indrelid::regclass::text, indexrelid::regclass::text from pg_index join pg_class c on c.oid = indrelid
        where relnamespace = 'public'::regnamespace and not indisvalid and relkind <> 'p'""",
    ),
    CatalogCheck(
        "the sequence {} is not granted to the application; use sa.Identity()",
        """select refobjid::regclass::text, s.oid::regclass::text from pg_class s
        join pg_depend on objid = s.oid and classid = 'pg_class'::regclass and refclassid = 'pg_class'::regclass
          and deptype = 'a'
        where relkind = 'S' and relnamespace = 'public'::regnamespace""",
    ),
    CatalogCheck(
        "the foreign key {} of an append-only table keeps other rows from going, or goes with them; drop it",
        """select conrelid::regclass::text, conname::text from pg_constraint
        join public.vinc_table t on to_regclass('public.' || quote_ident(t.name)) = conrelid and append_only
        where contype = 'f' and (confdeltype in ('c', 'n', 'd') or confupdtype in ('c', 'n', 'd')
          or confrelid in (select oid from owned) and not exists (select from public.vinc_table
            where to_regclass('public.' || quote_ident(name)) = confrelid and append_only))""",
    ),
)
# Between the revision that adds it as not valid and the one that validates it: only `vinc db check` finds it.
UNFINISHED = (
    CatalogCheck(
        "the constraint {} is not validated; make a revision",
        """select conrelid::regclass::text, conname::text from pg_constraint
        where connamespace = 'public'::regnamespace and conrelid <> 0 and not convalidated""",
    ),
)
